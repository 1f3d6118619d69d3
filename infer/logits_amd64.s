#include "textflag.h"

// Lanes 0…3 of a sum are in one register, 4…7 in another. Products are multiplied
// and added apart, not fused, in the Go code's order: the result is its, bit by bit.

// QUAD is a constant in every lane of a register.
#define QUAD(name, value) \
	DATA  name<>+0(SB)/8, value  \
	DATA  name<>+8(SB)/8, value  \
	DATA  name<>+16(SB)/8, value \
	DATA  name<>+24(SB)/8, value \
	GLOBL name<>(SB), RODATA|NOPTR, $32

QUAD(least, $-700.0)
QUAD(round, $6755399441055744.0)
QUAD(log2e, $1.44269504088896340735992468100189214)
QUAD(ln2, $0.693147180559945309417232121458176568)
QUAD(bias, $1023)
QUAD(one, $1.0)
QUAD(half, $0.5)
QUAD(sixth, $0.166666666666666666666666666666666667)
QUAD(over24, $0.0416666666666666666666666666666666667)
QUAD(over120, $0.00833333333333333333333333333333333333)
QUAD(over720, $0.00138888888888888888888888888888888889)
QUAD(over5040, $0.000198412698412698412698412698412698413)

// EXP adds e^x, or 0 where x is below least, to sum. The others are room.
#define EXP(x, sum, mask, two, r, e) \
	VCMPPD $13, least<>(SB), x, mask   \ // x ≥ least
	VMULPD log2e<>(SB), x, two         \
	VADDPD round<>(SB), two, two       \ // n, in its lowest bits
	VSUBPD round<>(SB), two, r         \
	VMULPD ln2<>(SB), r, r             \
	VSUBPD r, x, r                     \
	VMULPD over5040<>(SB), r, e        \
	VADDPD over720<>(SB), e, e         \
	VMULPD r, e, e                     \
	VADDPD over120<>(SB), e, e         \
	VMULPD r, e, e                     \
	VADDPD over24<>(SB), e, e          \
	VMULPD r, e, e                     \
	VADDPD sixth<>(SB), e, e           \
	VMULPD r, e, e                     \
	VADDPD half<>(SB), e, e            \
	VMULPD r, e, e                     \
	VADDPD one<>(SB), e, e             \
	VMULPD r, e, e                     \
	VADDPD one<>(SB), e, e             \
	VPADDQ bias<>(SB), two, two        \
	VPSLLQ $52, two, two               \ // 2^n
	VMULPD two, e, e                   \
	VANDPD mask, e, e                  \
	VADDPD e, sum, sum

// func addExpsAVX2(sums *[lanes]float64, logits *float32, n int, top float32)
TEXT ·addExpsAVX2(SB), NOSPLIT, $0-28
	MOVQ         sums+0(FP), DI
	MOVQ         logits+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS top+24(FP), Y0
	VMOVUPD      (DI), Y1
	VMOVUPD      32(DI), Y2

addLoop:
	VMOVUPS      (SI), Y3
	VSUBPS       Y0, Y3, Y3
	VEXTRACTF128 $1, Y3, X4
	VCVTPS2PD    X3, Y3
	VCVTPS2PD    X4, Y4
	EXP(Y3, Y1, Y5, Y6, Y7, Y8)
	EXP(Y4, Y2, Y9, Y10, Y11, Y12)
	ADDQ         $32, SI
	SUBQ         $8, CX
	JNZ          addLoop

	VMOVUPD Y1, (DI)
	VMOVUPD Y2, 32(DI)
	VZEROUPPER
	RET

// func highestAVX2(logits *float32, n int) (top, bad float32)
TEXT ·highestAVX2(SB), NOSPLIT, $0-24
	MOVQ    logits+0(FP), SI
	MOVQ    n+8(FP), CX
	VMOVUPS (SI), Y0
	VXORPS  Y1, Y1, Y1

highestLoop:
	VMOVUPS (SI), Y2
	VMAXPS  Y2, Y0, Y0
	VSUBPS  Y2, Y2, Y2
	VORPS   Y2, Y1, Y1 // x-x, which is 0 where x is finite, else NaN
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNZ     highestLoop

	VEXTRACTF128 $1, Y0, X2
	VMAXPS       X2, X0, X0
	VMOVHLPS     X0, X0, X2
	VMAXPS       X2, X0, X0
	VMOVSHDUP    X0, X2
	VMAXSS       X2, X0, X0
	VMOVSS       X0, top+16(FP)
	VEXTRACTF128 $1, Y1, X2
	VORPS        X2, X1, X1
	VMOVHLPS     X1, X1, X2
	VORPS        X2, X1, X1
	VMOVSHDUP    X1, X2
	VORPS        X2, X1, X1
	VMOVSS       X1, bad+20(FP)
	VZEROUPPER
	RET
