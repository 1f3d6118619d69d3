//go:build cgo && amd64

#include "weigh_avx2.h"

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { precision = 22, half = 1 << (precision - 1) }; // as in bicubic.go

// clip makes bytes of eight sums, in its low half.
AVX2 static inline __m128i clip(__m256i sums) {
	sums = _mm256_srai_epi32(sums, precision);
	__m128i words = _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	return _mm_packus_epi16(words, words);
}

AVX2 static inline void across_row(const uint8_t *row, int n, int span, const int32_t *first, const int32_t *weights, uint8_t *out) {
	// Two pixels' red, green and blue as two vectors of four.
	const __m128i apart = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m256i rounding = _mm256_setr_epi32(half, half, half, half, 0, 0, 0, 0);
	for (int x = 0; x < n; x++) {
		const uint8_t *px = row + 3 * first[x];
		const int32_t *k = weights + x * span;
		__m256i sum = rounding;
		for (int i = 0; i < span; i += 2) {
			__m128i two = _mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)(px + 3 * i)), apart);
			__m256i by = _mm256_set_m128i(_mm_set1_epi32(k[i + 1]), _mm_set1_epi32(k[i]));
			sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(two), by));
		}
		__m128i both = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
		int32_t bytes = _mm_cvtsi128_si32(clip(_mm256_castsi128_si256(both)));
		memcpy(out + 3 * x, &bytes, sizeof bytes);
	}
}

AVX2 void winnow_across(const uint8_t *src, long pixels, int width, int from, int rows,
	int n, int span, const int32_t *first, const int32_t *weights, uint8_t *out) {
	for (int y = from; y < from + rows; y++, out += 3 * n) {
		const uint8_t *row = src + 3L * y * width;
		if ((y + 1L) * width < pixels - 2) {
			across_row(row, n, span, first, weights, out);
			continue;
		}
		uint8_t last[3 * width + 8]; // nothing past the end of src may be read
		memcpy(last, row, 3 * width);
		memset(last + 3 * width, 0, 8);
		across_row(last, n, span, first, weights, out);
	}
}

AVX2 void winnow_down(const uint8_t *in, int width,
	int n, int span, const int32_t *first, const int32_t *weights, uint8_t *out) {
	const int bytes = 3 * width;
	for (int y = 0; y < n; y++, out += bytes) {
		const uint8_t *column = in + (long)first[y] * bytes;
		const int32_t *k = weights + y * span;
		for (int x = 0; x < bytes; x += 8) {
			__m256i sum = _mm256_set1_epi32(half);
			for (int i = 0; i < span; i++) {
				__m256i levels = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(column + (long)i * bytes + x)));
				sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(levels, _mm256_set1_epi32(k[i])));
			}
			_mm_storel_epi64((__m128i *)(out + x), clip(sum));
		}
	}
}
