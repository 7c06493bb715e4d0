export { type BarChart, type BarSegment, barChart, type StackedBar } from './bar-chart.js';
export { type LineChart, type LineSeries, lineChart } from './line-chart.js';
