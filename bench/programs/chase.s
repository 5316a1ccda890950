// From chase.c and program.h by bench/generate.ts; sha256 5deadd8f111ae236
	.text
	.p2align	2
	.p2align	4, , 11
run:
	lsr	x5, x1, #6
	mov	x8, x0
	mov	x1, x2
	cbz	x5, .L6
	mov	x4, #62303
	mov	x6, #26125
	sub	x7, x5, #1
	movk	x4, #15470, lsl #16
	mov	x0, #0
	movk	x6, #25, lsl #16
.L5:
	and	x3, x7, x4
	add	x4, x4, x6
	add	x3, x1, x3, lsl #6
	stp	x3, x0, [x2]
	add	x0, x0, #1
	add	x2, x2, #64
	cmp	x5, x0
	b.ne	.L5
.L6:
	sub	x4, x8, #1
	mov	x0, #0
	cbz	x8, .L1
	mov	x5, #31765
	mov	x0, #0
	ldr	x3, [x1, #8]
	movk	x5, #32586, lsl #16
	movk	x5, #31161, lsl #32
	movk	x5, #40503, lsl #48
.L7:
	mov	x2, #1024
	.p2align	3, , 7
.L8:
	ldr	x1, [x1]
	add	x0, x0, x3
	subs	x2, x2, #1
	ldr	x3, [x1, #8]
	b.ne	.L8
	eor	x2, x0, x3
	sub	x4, x4, #1
	mul	x2, x2, x5
	eor	x0, x2, x0, lsr #29
	cmn	x4, #1
	b.ne	.L7
.L1:
	ret
.Ltmp0:
