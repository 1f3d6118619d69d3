#include <stdint.h>

// Pixel x of n is the sum of span source pixels from first[x] on, weighted by
// weights[x*span] and following. span is even; the last of them may lie one past
// the source's end, with weight 0.

// winnow_across resizes rows from..from+rows-1 of src, RGB of width columns and
// so many pixels in all, to n columns. It writes a byte past out's last pixel.
void winnow_across(const uint8_t *src, long pixels, int width, int from, int rows,
	int n, int span, const int32_t *first, const int32_t *weights, uint8_t *out);

// winnow_down resizes the columns of in, RGB of width columns, to n rows. It
// reads a row and 8 bytes past in's last and writes 8 bytes past out's.
void winnow_down(const uint8_t *in, int width,
	int n, int span, const int32_t *first, const int32_t *weights, uint8_t *out);
