import type { SchedulingPolicy } from './policy.js';

/** First come, first served. A preempted sequence keeps its place. */
export const fcfs: SchedulingPolicy = (a, b) => a.arrival - b.arrival;
