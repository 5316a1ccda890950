// From nbody.c and program.h by bench/generate.ts; sha256 5d0367dd84b8dc9a
	.text
	.p2align	2
	.p2align	4, , 11
advance.constprop.0:
	adrp	x1, .LC0
	add	x2, x0, #56
	mov	w3, #1
	ldr	d18, [x1, :lo12:.LC0]
.L2:
	ldur	q17, [x2, #-56]
	mov	w4, w3
	ldur	d16, [x2, #-40]
	mov	x1, x2
	ldur	d7, [x2, #-8]
.L4:
	ldr	q1, [x1]
	add	w3, w3, #1
	ldr	d2, [x1, #16]
	add	x1, x1, #56
	ldur	d3, [x1, #-8]
	fsub	v1.2d, v17.2d, v1.2d
	ldur	d4, [x2, #-16]
	fsub	d2, d16, d2
	ldur	q5, [x2, #-32]
	mov	d0, v1.d[1]
	fmul	d0, d0, d0
	fmadd	d0, d1, d1, d0
	fmadd	d0, d2, d2, d0
	fsqrt	d6, d0
	fmul	d0, d0, d6
	fdiv	d0, d18, d0
	fmul	d3, d0, d3
	fmul	d0, d0, d7
	dup	v6.2d, v3.d[0]
	fmsub	d3, d2, d3, d4
	mov	v4.16b, v5.16b
	fmls	v4.2d, v6.2d, v1.2d
	stur	d3, [x2, #-16]
	stur	q4, [x2, #-32]
	ldur	d3, [x1, #-16]
	ldur	q4, [x1, #-32]
	fmadd	d2, d2, d0, d3
	mov	v3.16b, v4.16b
	fmla	v3.2d, v1.2d, v0.d[0]
	stur	d2, [x1, #-16]
	stur	q3, [x1, #-32]
	cmp	w3, #5
	b.ne	.L4
	add	x2, x2, #56
	add	w3, w4, #1
	cmp	w4, #4
	b.ne	.L2
	add	x1, x0, #24
	add	x2, x0, #304
	adrp	x0, .LC0
	ldr	d2, [x0, :lo12:.LC0]
	.p2align	3, , 7
.L3:
	sub	x0, x1, #24
.L6:
	ldr	d1, [x0, #24]
	ldr	d0, [x0]
	fmadd	d0, d1, d2, d0
	str	d0, [x0], #8
	cmp	x1, x0
	b.ne	.L6
	add	x1, x1, #56
	cmp	x1, x2
	b.ne	.L3
	ret
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
run:
	adrp	x3, first
	mov	x6, x2
	add	x3, x3, :lo12:first
	mov	x4, x0
	mov	x0, #0
.L14:
	add	x2, x3, x0
	add	x1, x6, x0
	add	x0, x0, #56
	ldp	q1, q2, [x2]
	ldr	q0, [x2, #32]
	ldr	x2, [x2, #48]
	stp	q1, q2, [x1]
	str	q0, [x1, #32]
	str	x2, [x1, #48]
	cmp	x0, #280
	b.ne	.L14
	sub	x7, x4, #1
	cbz	x4, .L35
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	.p2align	3, , 7
.L15:
	mov	w5, #64
	.p2align	3, , 7
.L17:
	mov	x0, x6
	bl	advance.constprop.0
	subs	w5, w5, #1
	b.ne	.L17
	sub	x7, x7, #1
	cmn	x7, #1
	b.ne	.L15
	mov	x3, #31765
	add	x4, x6, #280
	movk	x3, #32586, lsl #16
	mov	x0, #0
	movk	x3, #31161, lsl #32
	movk	x3, #40503, lsl #48
.L18:
	mov	x2, #0
.L19:
	ldr	x1, [x6, x2, lsl #3]
	add	x2, x2, #1
	eor	x1, x0, x1
	mul	x1, x1, x3
	eor	x0, x1, x0, lsr #29
	cmp	x2, #3
	b.ne	.L19
	add	x6, x6, #56
	cmp	x6, x4
	b.ne	.L18
	ldp	x29, x30, [sp], #16
	ret
.L35:
	mov	x3, #31765
	add	x4, x6, #280
	movk	x3, #32586, lsl #16
	mov	x0, #0
	movk	x3, #31161, lsl #32
	movk	x3, #40503, lsl #48
.L30:
	mov	x2, #0
.L31:
	ldr	x1, [x6, x2, lsl #3]
	add	x2, x2, #1
	eor	x1, x0, x1
	mul	x1, x1, x3
	eor	x0, x1, x0, lsr #29
	cmp	x2, #3
	b.ne	.L31
	add	x6, x6, #56
	cmp	x6, x4
	b.ne	.L30
	ret
.Ltmp1:
	.section	.rodata
	.p2align	3
first:
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	0
	.word	-910277154
	.word	1078181180
	.word	-171798692
	.word	1075010600
	.word	687194767
	.word	-1074622628
	.word	-1814194186
	.word	-1078295161
	.word	1106383575
	.word	1071867599
	.word	1834810029
	.word	1074167493
	.word	-1932391686
	.word	-1080437947
	.word	-638824172
	.word	1067666581
	.word	-1305670058
	.word	1075883933
	.word	1532444331
	.word	1074823089
	.word	-1932391686
	.word	-1076243643
	.word	702313052
	.word	-1074779107
	.word	1117378692
	.word	1073559015
	.word	-1909961649
	.word	1065434189
	.word	200184564
	.word	1065819465
	.word	-1333157849
	.word	1076480481
	.word	426060756
	.word	-1070712606
	.word	714682558
	.word	-1077111528
	.word	1010176308
	.word	1072779965
	.word	-369710785
	.word	1072417912
	.word	-24739012
	.word	-1081725431
	.word	-1463695827
	.word	1063009746
	.word	-295493750
	.word	1076806234
	.word	1051407994
	.word	-1069946025
	.word	-68719477
	.word	1070002601
	.word	-1925519738
	.word	1072649396
	.word	1386759041
	.word	1071843251
	.word	-2095944040
	.word	-1079915840
	.word	1232820376
	.word	1063299315
	.section	.rodata
	.p2align	3
.LC0:
	.word	-755914244
	.word	1062232653
