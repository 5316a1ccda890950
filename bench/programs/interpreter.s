// From interpreter.c and program.h by bench/generate.ts; sha256 6d04129fccc96a62
	.text
	.p2align	2
	.p2align	4, , 11
interpret:
	ldrb	w5, [x0]
	adrp	x6, labels.0
	add	x6, x6, :lo12:labels.0
	sub	sp, sp, #128
	ldrb	w8, [x0, #1]
	add	x3, x0, #4
	ldrb	w4, [x0, #2]
	mov	x7, sp
	ldr	x5, [x6, x5, lsl #3]
	ldrsb	x0, [x0, #3]
	br	x5
	.p2align	2, , 3
.L25:
	ldr	x0, [x1]
	add	sp, sp, #128
	ret
	.p2align	2, , 3
.L24:
	ldur	x0, [x7, #-8]
	sub	x7, x7, #8
	add	x3, x0, #4
	ldrb	w5, [x0]
	ldrb	w8, [x0, #1]
	ldrb	w4, [x0, #2]
	ldrsb	x0, [x0, #3]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L23:
	add	x0, x3, w0, sxtw #2
	str	x3, [x7], #8
	add	x3, x0, #4
	ldrb	w5, [x0]
	ldrb	w8, [x0, #1]
	ldrb	w4, [x0, #2]
	ldrsb	x0, [x0, #3]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L22:
	add	x0, x3, w0, sxtw #2
	add	x3, x0, #4
	ldrb	w5, [x0]
	ldrb	w8, [x0, #1]
	ldrb	w4, [x0, #2]
	ldrsb	x0, [x0, #3]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L20:
	ubfx	x4, x8, #0, #32
	add	x0, x3, w0, sxtw #2
	ldr	x4, [x1, x4, lsl #3]
	cmp	x4, #0
	csel	x0, x0, x3, ne
	add	x3, x0, #4
	ldrb	w5, [x0]
	ldrb	w8, [x0, #1]
	ldrb	w4, [x0, #2]
	ldrsb	x0, [x0, #3]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L18:
	ubfx	x9, x4, #0, #32
	add	x0, x3, w0, sxtw #2
	ldr	x5, [x1, x8, lsl #3]
	ldr	x4, [x1, x9, lsl #3]
	cmp	x5, x4
	csel	x3, x0, x3, eq
	add	x3, x3, #4
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L16:
	ubfx	x9, x4, #0, #32
	add	x0, x3, w0, sxtw #2
	ldr	x5, [x1, x8, lsl #3]
	ldr	x4, [x1, x9, lsl #3]
	cmp	x5, x4
	csel	x0, x0, x3, lo
	add	x3, x0, #4
	ldrb	w5, [x0]
	ldrb	w8, [x0, #1]
	ldrb	w4, [x0, #2]
	ldrsb	x0, [x0, #3]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L15:
	ldr	x0, [x1, x4, lsl #3]
	add	x3, x3, #4
	ldr	x4, [x1, x8, lsl #3]
	strb	w4, [x2, x0]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L14:
	ldr	x0, [x1, x4, lsl #3]
	add	x3, x3, #4
	ldrb	w0, [x2, x0]
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L13:
	ldr	x4, [x1, x4, lsl #3]
	add	x3, x3, #4
	lsr	x0, x4, x0
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L12:
	ldr	x4, [x1, x4, lsl #3]
	add	x3, x3, #4
	lsl	x0, x4, x0
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L11:
	ldr	x5, [x1, w0, sxtw #3]
	add	x3, x3, #4
	ldr	x0, [x1, x4, lsl #3]
	eor	x0, x0, x5
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L10:
	ldr	x5, [x1, w0, sxtw #3]
	add	x3, x3, #4
	ldr	x0, [x1, x4, lsl #3]
	and	x0, x0, x5
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L9:
	ldr	x5, [x1, w0, sxtw #3]
	add	x3, x3, #4
	ldr	x0, [x1, x4, lsl #3]
	mul	x0, x0, x5
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L8:
	ldr	x5, [x1, w0, sxtw #3]
	add	x3, x3, #4
	ldr	x0, [x1, x4, lsl #3]
	sub	x0, x0, x5
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L7:
	ldr	x4, [x1, x4, lsl #3]
	add	x3, x3, #4
	add	x0, x4, w0, sxtw
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L6:
	ldr	x5, [x1, w0, sxtw #3]
	add	x3, x3, #4
	ldr	x0, [x1, x4, lsl #3]
	add	x0, x0, x5
	str	x0, [x1, x8, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L4:
	ldr	x0, [x1, x4, lsl #3]
	str	x0, [x1, x8, lsl #3]
	add	x3, x3, #4
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
	.p2align	2, , 3
.L3:
	ubfx	x4, x8, #0, #32
	add	x3, x3, #4
	str	x0, [x1, x4, lsl #3]
	ldurb	w5, [x3, #-4]
	ldurb	w8, [x3, #-3]
	ldurb	w4, [x3, #-2]
	ldursb	x0, [x3, #-1]
	ldr	x5, [x6, x5, lsl #3]
	br	x5
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
run:
	mov	x1, x2
	mov	x3, x2
	add	x4, x2, #128
	.p2align	3, , 7
.L54:
	str	xzr, [x3], #8
	cmp	x3, x4
	b.ne	.L54
	sub	x11, x0, #1
	cbz	x0, .L57
	mov	x13, #31765
	adrp	x12, program
	movk	x13, #32586, lsl #16
	add	x2, x1, #1, lsl #12             // =4096
	movk	x13, #31161, lsl #32
	add	x12, x12, :lo12:program
	stp	x29, x30, [sp, #-16]!
	mov	x10, #0
	movk	x13, #40503, lsl #48
	mov	x29, sp
	.p2align	3, , 7
.L56:
	mov	x0, x12
	bl	interpret
	eor	x0, x0, x10
	sub	x11, x11, #1
	mul	x0, x0, x13
	eor	x10, x0, x10, lsr #29
	cmn	x11, #1
	b.ne	.L56
	mov	x0, x10
	ldp	x29, x30, [sp], #16
	ret
.L57:
	mov	x10, #0
	mov	x0, x10
	ret
.Ltmp1:
	.section	.rodata
	.p2align	3
labels.0:
	.xword	.L25
	.xword	.L3
	.xword	.L4
	.xword	.L6
	.xword	.L7
	.xword	.L8
	.xword	.L9
	.xword	.L10
	.xword	.L11
	.xword	.L12
	.xword	.L13
	.xword	.L14
	.xword	.L15
	.xword	.L16
	.xword	.L18
	.xword	.L20
	.xword	.L22
	.xword	.L23
	.xword	.L24
	.p2align	3
program:
	.byte	1
	.byte	1
	.byte	0
	.byte	0
	.byte	1
	.byte	8
	.byte	0
	.byte	1
	.byte	1
	.byte	2
	.byte	0
	.byte	1
	.byte	9
	.byte	2
	.byte	2
	.byte	9
	.byte	12
	.byte	8
	.byte	1
	.byte	0
	.byte	4
	.byte	1
	.byte	1
	.byte	1
	.byte	13
	.byte	1
	.byte	2
	.byte	-3
	.byte	1
	.byte	3
	.byte	0
	.byte	2
	.byte	1
	.byte	9
	.byte	0
	.byte	0
	.byte	1
	.byte	7
	.byte	0
	.byte	0
	.byte	11
	.byte	4
	.byte	3
	.byte	0
	.byte	15
	.byte	4
	.byte	0
	.byte	1
	.byte	16
	.byte	0
	.byte	0
	.byte	6
	.byte	4
	.byte	9
	.byte	9
	.byte	1
	.byte	3
	.byte	5
	.byte	3
	.byte	3
	.byte	16
	.byte	0
	.byte	0
	.byte	2
	.byte	12
	.byte	7
	.byte	5
	.byte	0
	.byte	3
	.byte	5
	.byte	5
	.byte	3
	.byte	13
	.byte	5
	.byte	2
	.byte	-3
	.byte	4
	.byte	3
	.byte	3
	.byte	1
	.byte	13
	.byte	3
	.byte	2
	.byte	-11
	.byte	1
	.byte	11
	.byte	0
	.byte	1
	.byte	1
	.byte	12
	.byte	0
	.byte	64
	.byte	2
	.byte	1
	.byte	11
	.byte	0
	.byte	17
	.byte	0
	.byte	0
	.byte	11
	.byte	9
	.byte	13
	.byte	10
	.byte	5
	.byte	8
	.byte	10
	.byte	13
	.byte	10
	.byte	3
	.byte	10
	.byte	10
	.byte	6
	.byte	4
	.byte	11
	.byte	11
	.byte	1
	.byte	13
	.byte	11
	.byte	12
	.byte	-7
	.byte	8
	.byte	0
	.byte	0
	.byte	10
	.byte	10
	.byte	13
	.byte	0
	.byte	7
	.byte	3
	.byte	0
	.byte	13
	.byte	0
	.byte	6
	.byte	0
	.byte	0
	.byte	9
	.byte	4
	.byte	0
	.byte	0
	.byte	1
	.byte	0
	.byte	0
	.byte	0
	.byte	0
	.byte	1
	.byte	6
	.byte	0
	.byte	0
	.byte	1
	.byte	14
	.byte	0
	.byte	1
	.byte	1
	.byte	15
	.byte	0
	.byte	3
	.byte	14
	.byte	1
	.byte	14
	.byte	8
	.byte	4
	.byte	6
	.byte	6
	.byte	1
	.byte	7
	.byte	4
	.byte	1
	.byte	14
	.byte	15
	.byte	4
	.byte	0
	.byte	2
	.byte	10
	.byte	1
	.byte	1
	.byte	1
	.byte	16
	.byte	0
	.byte	0
	.byte	-6
	.byte	6
	.byte	1
	.byte	1
	.byte	15
	.byte	4
	.byte	1
	.byte	1
	.byte	1
	.byte	16
	.byte	0
	.byte	0
	.byte	-9
	.byte	18
	.byte	0
	.byte	0
	.byte	0
