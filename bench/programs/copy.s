// From copy.c and program.h by bench/generate.ts; sha256 9b2d2611628dd706
	.text
copy_bytes:
	subs	x2, x2, #64
	b.lo	.Ltmp0
.Ltmp1:
	ldp	q0, q1, [x1]
	ldp	q2, q3, [x1, #32]
	add	x1, x1, #64
	stp	q0, q1, [x0]
	stp	q2, q3, [x0, #32]
	add	x0, x0, #64
	subs	x2, x2, #64
	b.hs	.Ltmp1
.Ltmp0:
	tbz	w2, #5, .Ltmp2
	ldp	q0, q1, [x1]
	stp	q0, q1, [x0]
.Ltmp2:
	ret
fill_bytes:
	cbz	w1, .Ltmp3
.Ltmp4:
	dup	v0.16b, w1
	subs	x2, x2, #64
	b.lo	.Ltmp5
.Ltmp6:
	stp	q0, q0, [x0]
	stp	q0, q0, [x0, #32]
	add	x0, x0, #64
	subs	x2, x2, #64
	b.hs	.Ltmp6
.Ltmp5:
	tbz	w2, #5, .Ltmp7
	stp	q0, q0, [x0]
.Ltmp7:
	ret
.Ltmp3:
	orr	x3, x0, x2
	tst	x3, #0x3f
	b.ne	.Ltmp4
.Ltmp8:
	dc	zva, x0
	add	x0, x0, #64
	subs	x2, x2, #64
	b.ne	.Ltmp8
	ret

	.p2align	2
	.p2align	4, , 11
run:
	stp	x29, x30, [sp, #-144]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	add	x23, x2, x1, lsr #1
	stp	x1, x2, [sp, #120]
	str	x0, [sp, #136]
	cbz	x1, .L2
	mov	x0, #31300
	movk	x0, #52159, lsl #16
	movk	x0, #16525, lsl #32
	movk	x0, #313, lsl #48
	str	x0, [sp, #96]
	mov	x0, #0
	.p2align	3, , 7
.L3:
	ldr	x1, [sp, #96]
	ldr	x2, [sp, #128]
	eor	x22, x1, x1, lsl #13
	eor	x22, x22, x22, lsr #7
	eor	x1, x22, x22, lsl #17
	str	x1, [x2, x0]
	str	x1, [sp, #96]
	add	x0, x0, #8
	ldr	x1, [sp, #120]
	cmp	x1, x0
	b.hi	.L3
	ldr	x0, [sp, #136]
	cbz	x0, .L27
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
.L5:
	adrp	x25, counts-4
	ldr	x21, [sp, #128]
	add	x25, x25, :lo12:counts-4
	mov	x19, #0
	stp	xzr, xzr, [sp, #104]
	.p2align	3, , 7
.L8:
	mov	x28, #1
	ldp	x0, x20, [sp, #104]
	and	x24, x0, #0x1
	.p2align	3, , 7
.L10:
	and	x26, x20, #0xfff0
	ldr	w22, [x25, x28, lsl #2]
	mov	x0, #72
	eor	x0, x26, x0
	add	x27, x23, x0
	add	x1, x21, x26
	mov	x2, x22
	mov	x0, x27
	bl	copy_bytes
	add	x20, x20, #272
	add	x4, x27, x22
	add	x3, x26, #1, lsl #12            // =4096
	and	x0, x3, #0xffc0
	cmp	x24, #0
	csel	x1, x28, xzr, eq
	mov	x2, x22
	ldur	x3, [x4, #-8]
	mov	x4, #31765
	movk	x4, #32586, lsl #16
	add	x28, x28, #1
	eor	x3, x19, x3
	movk	x4, #31161, lsl #32
	movk	x4, #40503, lsl #48
	add	x0, x21, x0
	mul	x3, x3, x4
	eor	x19, x3, x19, lsr #29
	bl	fill_bytes
	cmp	x28, #13
	b.ne	.L10
	ldr	x0, [sp, #96]
	ldr	x2, [sp, #112]
	eor	x22, x0, x0, lsl #13
	ldr	x0, [sp, #104]
	eor	x22, x22, x22, lsr #7
	add	x2, x2, #1040
	add	x1, x0, #1
	stp	x1, x2, [sp, #104]
	eor	x2, x22, x22, lsl #17
	str	x2, [x21]
	mov	x0, x23
	str	x2, [sp, #96]
	mov	x23, x21
	ldr	x2, [sp, #136]
	cmp	x2, x1
	b.ls	.L11
	mov	x21, x0
	b	.L8
.L11:
	ldr	x0, [sp, #120]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	cbz	x0, .L1
.L7:
	mov	x2, #31765
	mov	x1, #0
	movk	x2, #32586, lsl #16
	movk	x2, #31161, lsl #32
	movk	x2, #40503, lsl #48
	.p2align	3, , 7
.L12:
	ldr	x0, [sp, #128]
	ldr	x0, [x0, x1]
	add	x1, x1, #64
	eor	x0, x19, x0
	mul	x0, x0, x2
	eor	x19, x0, x19, lsr #29
	ldr	x0, [sp, #120]
	cmp	x0, x1
	b.hi	.L12
.L1:
	ldp	x21, x22, [sp, #32]
	mov	x0, x19
	ldp	x19, x20, [sp, #16]
	ldp	x23, x24, [sp, #48]
	ldp	x29, x30, [sp], #144
	ret
.L2:
	ldr	x0, [sp, #136]
	mov	x19, #0
	cbz	x0, .L1
	mov	x0, #31300
	stp	x25, x26, [sp, #64]
	movk	x0, #52159, lsl #16
	movk	x0, #16525, lsl #32
	stp	x27, x28, [sp, #80]
	movk	x0, #313, lsl #48
	str	x0, [sp, #96]
	b	.L5
.L27:
	mov	x19, #0
	b	.L7
.Ltmp9:
	.section	.rodata
	.p2align	3
counts:
	.word	32
	.word	96
	.word	256
	.word	1024
	.word	64
	.word	4096
	.word	512
	.word	160
	.word	16384
	.word	2048
	.word	65536
	.word	128
