#include "textflag.h"

// Lanes 0…7 of a sum are in one register, 8…15 in another. Products are
// multiplied and added apart, not fused: processors that add beside multiplying
// lose nothing by it, and the result is that of the Go code, bit by bit.

// FOLD adds the 16 lanes in y and z up into the first of x, the low half of y.
#define FOLD(y, z, x, t, u) \
	VADDPS       z, y, y    \
	VEXTRACTF128 $1, y, t   \
	VADDPS       t, x, x    \
	VMOVHLPS     x, x, t    \
	VADDPS       t, x, x    \
	VMOVSHDUP    x, t       \
	VADDSS       t, x, x

// func dotAVX2(a, b *float32, n int) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-28
	MOVQ   a+0(FP), SI
	MOVQ   b+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

dotLoop:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VMULPS  (DI), Y2, Y2
	VMULPS  32(DI), Y3, Y3
	VADDPS  Y2, Y0, Y0
	VADDPS  Y3, Y1, Y1
	ADDQ    $64, SI
	ADDQ    $64, DI
	SUBQ    $16, CX
	JNZ     dotLoop

	FOLD(Y0, Y1, X0, X2, X3)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func dot4AVX2(a, b0, b1, b2, b3 *float32, n int, sums *[4]float32)
TEXT ·dot4AVX2(SB), NOSPLIT, $0-56
	MOVQ   a+0(FP), SI
	MOVQ   b0+8(FP), R8
	MOVQ   b1+16(FP), R9
	MOVQ   b2+24(FP), R10
	MOVQ   b3+32(FP), R11
	MOVQ   n+40(FP), CX
	MOVQ   sums+48(FP), DI
	XORQ   DX, DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

dot4Loop:
	VMOVUPS (SI)(DX*4), Y8
	VMOVUPS 32(SI)(DX*4), Y9
	VMULPS  (R8)(DX*4), Y8, Y10
	VMULPS  32(R8)(DX*4), Y9, Y11
	VMULPS  (R9)(DX*4), Y8, Y12
	VMULPS  32(R9)(DX*4), Y9, Y13
	VADDPS  Y10, Y0, Y0
	VADDPS  Y11, Y1, Y1
	VADDPS  Y12, Y2, Y2
	VADDPS  Y13, Y3, Y3
	VMULPS  (R10)(DX*4), Y8, Y10
	VMULPS  32(R10)(DX*4), Y9, Y11
	VMULPS  (R11)(DX*4), Y8, Y12
	VMULPS  32(R11)(DX*4), Y9, Y13
	VADDPS  Y10, Y4, Y4
	VADDPS  Y11, Y5, Y5
	VADDPS  Y12, Y6, Y6
	VADDPS  Y13, Y7, Y7
	ADDQ    $16, DX
	CMPQ    DX, CX
	JLT     dot4Loop

	FOLD(Y0, Y1, X0, X8, X9)
	FOLD(Y2, Y3, X2, X10, X11)
	FOLD(Y4, Y5, X4, X12, X13)
	FOLD(Y6, Y7, X6, X14, X15)
	VMOVSS X0, (DI)
	VMOVSS X2, 4(DI)
	VMOVSS X4, 8(DI)
	VMOVSS X6, 12(DI)
	VZEROUPPER
	RET

// func normAVX2(v *float32, n int) float64
TEXT ·normAVX2(SB), NOSPLIT, $0-24
	MOVQ   v+0(FP), SI
	MOVQ   n+8(FP), CX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3

normLoop:
	VCVTPS2PD (SI), Y4
	VCVTPS2PD 16(SI), Y5
	VCVTPS2PD 32(SI), Y6
	VCVTPS2PD 48(SI), Y7
	VMULPD    Y4, Y4, Y4
	VMULPD    Y5, Y5, Y5
	VMULPD    Y6, Y6, Y6
	VMULPD    Y7, Y7, Y7
	VADDPD    Y4, Y0, Y0
	VADDPD    Y5, Y1, Y1
	VADDPD    Y6, Y2, Y2
	VADDPD    Y7, Y3, Y3
	ADDQ      $64, SI
	SUBQ      $16, CX
	JNZ       normLoop

	// Lanes 0…3, 4…7, 8…11 and 12…15: l meets l+8, then l+4, l+2, l+1.
	VADDPD       Y2, Y0, Y0
	VADDPD       Y3, Y1, Y1
	VADDPD       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPD       X1, X0, X0
	VUNPCKHPD    X0, X0, X1
	VADDSD       X1, X0, X0
	VMOVSD       X0, ret+16(FP)
	VZEROUPPER
	RET

// func scaleAVX2(dst, v *float32, n int, by float64)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSD by+24(FP), Y0

scaleLoop:
	VCVTPS2PD  (SI), Y1
	VCVTPS2PD  16(SI), Y2
	VCVTPS2PD  32(SI), Y3
	VCVTPS2PD  48(SI), Y4
	VMULPD     Y0, Y1, Y1
	VMULPD     Y0, Y2, Y2
	VMULPD     Y0, Y3, Y3
	VMULPD     Y0, Y4, Y4
	VCVTPD2PSY Y1, X1
	VCVTPD2PSY Y2, X2
	VCVTPD2PSY Y3, X3
	VCVTPD2PSY Y4, X4
	VMOVUPS    X1, (DI)
	VMOVUPS    X2, 16(DI)
	VMOVUPS    X3, 32(DI)
	VMOVUPS    X4, 48(DI)
	ADDQ       $64, SI
	ADDQ       $64, DI
	SUBQ       $16, CX
	JNZ        scaleLoop
	VZEROUPPER
	RET
