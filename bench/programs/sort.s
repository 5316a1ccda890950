// From sort.c and program.h by bench/generate.ts; sha256 9bd0e703bbf854e0
	.text
	.p2align	2
	.p2align	4, , 11
quicksort:
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	mov	x20, x1
	sub	x1, x1, x0
	mov	x19, x0
	cmp	x1, #48
	b.le	.L2
	asr	x1, x1, #3
	ldr	w4, [x0]
	ldr	w2, [x20]
	ldr	w3, [x0, x1, lsl #2]
	cmp	w4, w3
	b.hs	.L3
.L28:
	cmp	w3, w2
	b.lo	.L4
	cmp	w4, w2
	csel	w3, w4, w2, hs
.L4:
	mov	x1, x20
	mov	x19, x0
	.p2align	3, , 7
.L5:
	mov	x4, x19
	ldr	w5, [x4], #4
	cmp	w5, w3
	b.lo	.L6
	cmp	w3, w2
	b.hs	.L7
	.p2align	3, , 7
.L8:
	ldr	w2, [x1, #-4]!
	cmp	w2, w3
	b.hi	.L8
.L7:
	sub	x6, x4, #4
	cmp	x1, x6
	b.hs	.L27
.L9:
	bl	quicksort
	sub	x1, x20, x19
	cmp	x1, #48
	b.le	.L2
	mov	x0, x19
	asr	x1, x1, #3
	ldr	w2, [x20]
	ldr	w3, [x0, x1, lsl #2]
	ldr	w4, [x0]
	cmp	w4, w3
	b.lo	.L28
.L3:
	cmp	w4, w2
	b.lo	.L17
	cmp	w3, w2
	csel	w3, w3, w2, hs
	b	.L4
	.p2align	2, , 3
.L27:
	mov	x6, x1
	stur	w2, [x4, #-4]
	str	w5, [x6], #-4
	cmp	x6, x4
	b.lo	.L18
	ldur	w2, [x1, #-4]
	mov	x1, x6
.L6:
	mov	x19, x4
	b	.L5
.L2:
	add	x3, x19, #4
	cmp	x20, x3
	b.lo	.L1
	.p2align	3, , 7
.L11:
	ldr	w2, [x3]
	mov	x0, x3
	cmp	x3, x19
	b.hi	.L12
	b	.L13
	.p2align	2, , 3
.L14:
	str	w1, [x0], #-4
	cmp	x0, x19
	b.ls	.L13
.L12:
	ldur	w1, [x0, #-4]
	cmp	w2, w1
	b.lo	.L14
.L13:
	add	x3, x3, #4
	str	w2, [x0]
	cmp	x20, x3
	b.hs	.L11
.L1:
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #32
	ret
.L17:
	mov	w3, w4
	b	.L4
.L18:
	mov	x1, x6
	mov	x19, x4
	b	.L9
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
run:
	cbz	x0, .L37
	lsr	x10, x1, #2
	and	x14, x1, #0xfffffffffffffffc
	mov	x11, #31765
	sub	x14, x14, #4
	movk	x11, #32586, lsl #16
	mov	x7, #36002
	movk	x11, #31161, lsl #32
	sub	x13, x0, #1
	mov	x9, x2
	add	x12, x2, x10, lsl #2
	add	x14, x2, x14
	sub	x15, x2, #4
	stp	x29, x30, [sp, #-16]!
	movk	x7, #37590, lsl #16
	mov	x8, #0
	movk	x11, #40503, lsl #48
	mov	x29, sp
	.p2align	3, , 7
.L31:
	mov	x1, x9
	cbz	x10, .L51
	.p2align	3, , 7
.L32:
	eor	x7, x7, x7, lsl #13
	eor	x7, x7, x7, lsr #7
	eor	x7, x7, x7, lsl #17
	str	w7, [x1], #4
	cmp	x12, x1
	b.ne	.L32
	mov	x1, x14
	mov	x0, x9
	bl	quicksort
	mov	x3, #0
	.p2align	3, , 7
.L35:
	ldr	w1, [x9, x3, lsl #2]
	add	x3, x3, #16
	eor	x1, x1, x8
	mul	x1, x1, x11
	eor	x8, x1, x8, lsr #29
	cmp	x10, x3
	b.hi	.L35
	sub	x13, x13, #1
	cmn	x13, #1
	b.ne	.L31
.L29:
	mov	x0, x8
	ldp	x29, x30, [sp], #16
	ret
	.p2align	2, , 3
.L51:
	mov	x1, x15
	mov	x0, x9
	sub	x13, x13, #1
	bl	quicksort
	cmn	x13, #1
	b.ne	.L31
	b	.L29
.L37:
	mov	x8, #0
	mov	x0, x8
	ret
.Ltmp1:
