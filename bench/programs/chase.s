// From chase.c and program.h by bench/generate.ts; sha256 e19950e36fe86f35
	.text
	.p2align	2
	.p2align	4, , 11
run:
	lsr	x3, x1, #6
	mov	x7, x0
	mov	x1, x2
	cbz	x3, .L10
	mov	x0, x2
	mov	x2, #0
.L3:
	stp	x0, x2, [x0]
	add	x2, x2, #1
	add	x0, x0, #64
	cmp	x3, x2
	b.ne	.L3
	subs	x3, x3, #1
	b.eq	.L7
.L2:
	mov	x0, #64949
	add	x4, x1, x3, lsl #6
	movk	x0, #21655, lsl #16
	movk	x0, #35284, lsl #32
	movk	x0, #4198, lsl #48
.L6:
	eor	x0, x0, x0, lsl #13
	ldr	x5, [x4]
	eor	x0, x0, x0, lsr #7
	eor	x0, x0, x0, lsl #17
	and	x2, x0, #0xffffffff
	mul	x2, x2, x3
	subs	x3, x3, #1
	lsr	x2, x2, #32
	lsl	x2, x2, #6
	ldr	x6, [x1, x2]
	str	x6, [x4], #-64
	str	x5, [x1, x2]
	b.ne	.L6
.L7:
	sub	x4, x7, #1
	mov	x0, #0
	cbz	x7, .L1
	mov	x5, #31765
	mov	x0, #0
	ldr	x3, [x1, #8]
	movk	x5, #32586, lsl #16
	movk	x5, #31161, lsl #32
	movk	x5, #40503, lsl #48
.L8:
	mov	x2, #1024
	.p2align	3, , 7
.L9:
	ldr	x1, [x1]
	add	x0, x0, x3
	subs	x2, x2, #1
	ldr	x3, [x1, #8]
	b.ne	.L9
	eor	x2, x0, x3
	sub	x4, x4, #1
	mul	x2, x2, x5
	eor	x0, x2, x0, lsr #29
	cmn	x4, #1
	b.ne	.L8
.L1:
	ret
.L10:
	mov	x3, #-1
	b	.L2
.Ltmp0:
