// From calls.c and program.h by bench/generate.ts; sha256 2e125b4df79879c3
	.text
	.p2align	2
	.p2align	4, , 11
fibonacci:
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	str	x19, [sp, #16]
	mov	x19, x0
	cmp	x0, #1
	b.ls	.L2
	sub	x0, x0, #1
	bl	fibonacci
	mov	x1, x0
	sub	x0, x19, #2
	mov	x19, x1
	bl	fibonacci
	add	x19, x19, x0
.L2:
	mov	x0, x19
	ldr	x19, [sp, #16]
	ldp	x29, x30, [sp], #32
	ret
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
takeuchi:
	stp	x29, x30, [sp, #-48]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	mov	w19, w2
	cmp	w1, w0
	b.lt	.L8
	mov	w0, w19
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #48
	ret
	.p2align	2, , 3
.L8:
	mov	w20, w0
	sub	w0, w0, #1
	stp	x21, x22, [sp, #32]
	mov	w21, w1
	bl	takeuchi
	mov	w2, w20
	mov	w22, w0
	mov	w1, w19
	sub	w0, w21, #1
	bl	takeuchi
	mov	w2, w21
	mov	w1, w20
	mov	w21, w0
	sub	w0, w19, #1
	bl	takeuchi
	mov	w2, w0
	mov	w1, w21
	mov	w0, w22
	bl	takeuchi
	mov	w19, w0
	ldp	x21, x22, [sp, #32]
	mov	w0, w19
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #48
	ret
.Ltmp1:
	.p2align	2
	.p2align	4, , 11
hanoi:
	cbnz	w0, .L16
	mov	x0, #0
	ret
	.p2align	2, , 3
.L16:
	stp	x29, x30, [sp, #-64]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	mov	x20, x1
	sub	w19, w0, #1
	str	x23, [sp, #48]
	mov	x23, x3
	mov	w0, w19
	mov	x3, x2
	stp	x21, x22, [sp, #32]
	mov	x22, x2
	mov	x2, x23
	bl	hanoi
	mov	x21, x0
	mov	x3, x20
	eor	x20, x22, x20, lsl #4
	mov	x1, x23
	mov	x2, x22
	mov	w0, w19
	add	x21, x21, x21, lsl #1
	bl	hanoi
	add	x20, x20, x0
	ldr	x23, [sp, #48]
	add	x0, x21, x20
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x29, x30, [sp], #64
	ret
.Ltmp2:
	.p2align	2
	.p2align	4, , 11
queens:
	stp	x29, x30, [sp, #-64]!
	cmp	w0, #63
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	orr	w19, w1, w2
	orr	w19, w19, w0
	str	x23, [sp, #48]
	mvn	w19, w19
	cset	w23, eq
	ands	w19, w19, #0x3f
	b.eq	.L17
	mov	w20, w0
	stp	x21, x22, [sp, #32]
	mov	w22, w1
	mov	w21, w2
.L19:
	neg	w0, w19
	mov	w3, #63
	and	w0, w0, w19
	orr	w2, w21, w0
	orr	w1, w22, w0
	orr	w0, w20, w0
	lsr	w2, w2, #1
	lsl	w1, w1, #1
	bl	queens
	add	w23, w23, w0
	sub	w3, w19, #1
	ands	w19, w19, w3
	b.ne	.L19
	ldp	x21, x22, [sp, #32]
.L17:
	mov	w0, w23
	ldp	x19, x20, [sp, #16]
	ldr	x23, [sp, #48]
	ldp	x29, x30, [sp], #64
	ret
.Ltmp3:
	.p2align	2
	.p2align	4, , 11
run:
	cbz	x0, .L28
	mov	x7, #31765
	mov	x8, x0
	movk	x7, #32586, lsl #16
	stp	x29, x30, [sp, #-16]!
	movk	x7, #31161, lsl #32
	mov	x6, #0
	mov	x4, #0
	movk	x7, #40503, lsl #48
	mov	x29, sp
	.p2align	3, , 7
.L27:
	and	x3, x6, #0x1
	mov	w2, #0
	add	x0, x3, #15
	bl	fibonacci
	eor	x5, x0, x4
	add	w1, w3, #4
	mov	w0, #8
	bl	takeuchi
	sxtw	x2, w0
	mov	x1, x6
	mul	x5, x5, x7
	mov	x3, #3
	mov	w0, #9
	add	x6, x6, #1
	eor	x4, x5, x4, lsr #29
	eor	x2, x2, x4
	mul	x2, x2, x7
	eor	x4, x2, x4, lsr #29
	mov	x2, x4
	bl	hanoi
	eor	x5, x0, x4
	mov	w1, #0
	mov	w3, #63
	mov	w2, #0
	mov	w0, #0
	bl	queens
	mul	x5, x5, x7
	ubfx	x1, x0, #0, #32
	eor	x4, x5, x4, lsr #29
	eor	x1, x1, x4
	mul	x1, x1, x7
	eor	x4, x1, x4, lsr #29
	cmp	x8, x6
	b.ne	.L27
	mov	x0, x4
	ldp	x29, x30, [sp], #16
	ret
	.p2align	2, , 3
.L28:
	mov	x4, #0
	mov	x0, x4
	ret
.Ltmp4:
