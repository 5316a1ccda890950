// From dot.c and program.h by bench/generate.ts; sha256 b8ee1add712eaab9
	.text
	.p2align	2
	.p2align	4, , 11
dot_floats:
	movi	v0.4s, #0
	add	x2, x0, #4, lsl #12             // =16384
	mov	v3.16b, v0.16b
	mov	v2.16b, v0.16b
	mov	v1.16b, v0.16b
	.p2align	3, , 7
.L2:
	ldp	q19, q17, [x0]
	ldp	q18, q16, [x1]
	ldp	q7, q5, [x0, #32]
	add	x0, x0, #64
	ldp	q6, q4, [x1, #32]
	add	x1, x1, #64
	fmla	v1.4s, v19.4s, v18.4s
	fmla	v2.4s, v17.4s, v16.4s
	fmla	v3.4s, v7.4s, v6.4s
	fmla	v0.4s, v5.4s, v4.4s
	cmp	x0, x2
	b.ne	.L2
	fadd	v0.4s, v0.4s, v3.4s
	fadd	v1.4s, v1.4s, v2.4s
	fadd	v0.4s, v0.4s, v1.4s
	faddp	v0.4s, v0.4s, v0.4s
	faddp	v0.4s, v0.4s, v0.4s
	ret
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
dot_integers:
	movi	v0.4s, #0
	add	x4, x0, #16
	add	x3, x1, #16
	mov	x2, #0
	mov	v1.16b, v0.16b
	.p2align	3, , 7
.L6:
	ldr	q5, [x0, x2]
	ldr	q4, [x1, x2]
	ldr	q3, [x4, x2]
	ldr	q2, [x3, x2]
	add	x2, x2, #32
	smlal	v1.4s, v5.4h, v4.4h
	smlal2	v0.4s, v5.8h, v4.8h
	smlal	v1.4s, v3.4h, v2.4h
	smlal2	v0.4s, v3.8h, v2.8h
	cmp	x2, #2, lsl #12                 // =8192
	b.ne	.L6
	add	v0.4s, v0.4s, v1.4s
	addv	s0, v0.4s
	fmov	w0, s0
	ret
.Ltmp1:
	.p2align	2
	.p2align	4, , 11
run:
	mov	w1, #931135488
	fmov	s2, w1
	mov	x1, #31300
	movi	v4.2s, #56, lsl #24
	movk	x1, #52159, lsl #16
	mov	x6, x2
	movk	x1, #16525, lsl #32
	add	x8, x2, #4, lsl #12             // =16384
	add	x7, x2, #8, lsl #12             // =32768
	add	x9, x2, #10, lsl #12            // =40960
	mov	x3, #0
	movk	x1, #313, lsl #48
	fmov	s3, #-1.00000000
	.p2align	3, , 7
.L9:
	eor	x1, x1, x1, lsl #13
	eor	x1, x1, x1, lsr #7
	and	w2, w1, #0xffff
	fmov	s1, w2
	eor	x1, x1, x1, lsl #17
	fmov	s0, w1
	scvtf	s1, s1
	ushr	v0.2s, v0.2s, #16
	lsr	x5, x1, #32
	lsr	x4, x1, #48
	fmul	s1, s1, s2
	scvtf	s0, s0
	str	s1, [x6, x3, lsl #2]
	fmadd	s0, s0, s4, s3
	str	s0, [x8, x3, lsl #2]
	strh	w5, [x7, x3, lsl #1]
	strh	w4, [x9, x3, lsl #1]
	add	x3, x3, #1
	cmp	x3, #1, lsl #12                 // =4096
	b.ne	.L9
	sub	x10, x0, #1
	cbz	x0, .L12
	mov	x11, #31765
	stp	x29, x30, [sp, #-16]!
	movk	x11, #32586, lsl #16
	movk	x11, #31161, lsl #32
	mov	x5, #0
	movk	x11, #40503, lsl #48
	fmov	s20, #0.12500000
	mov	x29, sp
	.p2align	3, , 7
.L11:
	mov	x1, x8
	mov	x0, x6
	bl	dot_floats
	fmov	w2, s0
	mov	x1, x9
	mov	x0, x7
	sub	x10, x10, #1
	eor	x2, x2, x5
	mul	x2, x2, x11
	eor	x5, x2, x5, lsr #29
	bl	dot_integers
	sxtw	x0, w0
	eor	x0, x0, x5
	mul	x0, x0, x11
	eor	x5, x0, x5, lsr #29
	and	x2, x5, #0xfff
	lsr	w0, w5, #20
	lsr	x4, x5, #40
	ldr	s0, [x6, x2, lsl #2]
	lsl	x0, x0, #1
	fadd	s0, s0, s20
	ldrh	w1, [x7, x0]
	eor	w1, w1, w4
	str	s0, [x6, x2, lsl #2]
	strh	w1, [x7, x0]
	cmn	x10, #1
	b.ne	.L11
	mov	x0, x5
	ldp	x29, x30, [sp], #16
	ret
.L12:
	mov	x5, #0
	mov	x0, x5
	ret
.Ltmp2:
