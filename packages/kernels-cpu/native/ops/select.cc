#include "select.h"

namespace kvasir {

namespace {

void insertion_sort(Candidate* candidates, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    const Candidate moved = candidates[i];
    int64_t j = i;
    for (; j > 0 && candidates[j - 1] > moved; j--) candidates[j] = candidates[j - 1];
    candidates[j] = moved;
  }
}

}  // namespace

// Least significant byte first over the logit's four bytes; stable, so ids stay ascending within equal logits.
void sort_candidates(Candidate* candidates, Candidate* spare, int64_t count) {
  if (count <= 48) return insertion_sort(candidates, count);
  int64_t histogram[4][256] = {};
  for (int64_t i = 0; i < count; i++)
    for (int byte = 0; byte < 4; byte++) histogram[byte][candidates[i] >> (32 + 8 * byte) & 0xff]++;

  Candidate* from = candidates;
  Candidate* to = spare;
  for (int byte = 0; byte < 4; byte++) {
    const int shift = 32 + 8 * byte;
    int64_t* start = histogram[byte];
    if (start[from[0] >> shift & 0xff] == count) continue;
    int64_t next = 0;
    for (int digit = 0; digit < 256; digit++) {
      const int64_t size = start[digit];
      start[digit] = next;
      next += size;
    }
    for (int64_t i = 0; i < count; i++) to[start[from[i] >> shift & 0xff]++] = from[i];
    Candidate* const swapped = from;
    from = to;
    to = swapped;
  }
  if (from != candidates) __builtin_memcpy(candidates, from, static_cast<uint64_t>(count) * sizeof(Candidate));
}

}  // namespace kvasir
