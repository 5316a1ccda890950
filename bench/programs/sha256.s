// From sha256.c and program.h by bench/generate.ts; sha256 a2e4f73504eff444
	.text
	.p2align	2
	.p2align	4, , 11
blocks.constprop.0:
	mov	x2, #4160
	add	x4, x1, x2
	adrp	x2, .LC0
	stp	d8, d9, [sp, #-96]!
	ldr	q26, [x2, :lo12:.LC0]
	adrp	x2, .LC1
	ldp	q2, q1, [x0]
	str	d10, [sp, #16]
	ldr	q25, [x2, :lo12:.LC1]
	adrp	x2, .LC2
	ldr	q24, [x2, :lo12:.LC2]
	adrp	x2, .LC3
	ldr	q23, [x2, :lo12:.LC3]
	adrp	x2, .LC4
	ldr	q22, [x2, :lo12:.LC4]
	adrp	x2, .LC5
	ldr	q21, [x2, :lo12:.LC5]
	adrp	x2, .LC6
	ldr	q20, [x2, :lo12:.LC6]
	adrp	x2, .LC7
	ldr	q19, [x2, :lo12:.LC7]
	adrp	x2, .LC8
	ldr	q18, [x2, :lo12:.LC8]
	adrp	x2, .LC9
	ldr	q17, [x2, :lo12:.LC9]
	adrp	x2, .LC10
	ldr	q16, [x2, :lo12:.LC10]
	adrp	x2, .LC11
	ldr	q7, [x2, :lo12:.LC11]
	adrp	x2, .LC12
	ldr	q6, [x2, :lo12:.LC12]
	adrp	x2, .LC13
	ldr	q5, [x2, :lo12:.LC13]
	adrp	x2, .LC14
	ldr	q4, [x2, :lo12:.LC14]
	adrp	x2, .LC15
	ldr	q3, [x2, :lo12:.LC15]
	.p2align	3, , 7
.L2:
	add	x3, sp, #32
	mov	x2, #0
.L3:
	ldr	q0, [x1, x2]
	add	x2, x2, #16
	rev32	v0.16b, v0.16b
	str	q0, [x3], #16
	cmp	x2, #64
	b.ne	.L3
	ldp	q30, q29, [sp, #32]
	add	x1, x1, #64
	mov	v8.16b, v2.16b
	mov	v0.16b, v1.16b
	add	v9.4s, v30.4s, v26.4s
	add	v31.4s, v29.4s, v25.4s
	ldp	q28, q27, [sp, #64]
	sha256h	q8, q1, v9.4s
	sha256h2	q0, q2, v9.4s
	add	v9.4s, v28.4s, v24.4s
	sha256su0	v30.4s, v29.4s
	sha256su0	v29.4s, v28.4s
	mov	v10.16b, v8.16b
	sha256su1	v30.4s, v28.4s, v27.4s
	sha256su0	v28.4s, v27.4s
	sha256h	q10, q0, v31.4s
	sha256h2	q0, q8, v31.4s
	add	v8.4s, v27.4s, v23.4s
	sha256su1	v29.4s, v27.4s, v30.4s
	sha256su0	v27.4s, v30.4s
	mov	v31.16b, v10.16b
	sha256su1	v28.4s, v30.4s, v29.4s
	sha256h	q31, q0, v9.4s
	sha256h2	q0, q10, v9.4s
	add	v10.4s, v30.4s, v22.4s
	sha256su0	v30.4s, v29.4s
	sha256su1	v27.4s, v29.4s, v28.4s
	mov	v9.16b, v31.16b
	sha256h	q9, q0, v8.4s
	sha256h2	q0, q31, v8.4s
	add	v31.4s, v29.4s, v21.4s
	sha256su1	v30.4s, v28.4s, v27.4s
	sha256su0	v29.4s, v28.4s
	mov	v8.16b, v9.16b
	sha256su1	v29.4s, v27.4s, v30.4s
	sha256h	q8, q0, v10.4s
	sha256h2	q0, q9, v10.4s
	add	v10.4s, v28.4s, v20.4s
	sha256su0	v28.4s, v27.4s
	mov	v9.16b, v8.16b
	sha256su1	v28.4s, v30.4s, v29.4s
	sha256h	q9, q0, v31.4s
	sha256h2	q0, q8, v31.4s
	add	v31.4s, v27.4s, v19.4s
	sha256su0	v27.4s, v30.4s
	mov	v8.16b, v9.16b
	sha256su1	v27.4s, v29.4s, v28.4s
	sha256h	q8, q0, v10.4s
	sha256h2	q0, q9, v10.4s
	add	v10.4s, v30.4s, v18.4s
	sha256su0	v30.4s, v29.4s
	mov	v9.16b, v8.16b
	sha256su1	v30.4s, v28.4s, v27.4s
	sha256h	q9, q0, v31.4s
	sha256h2	q0, q8, v31.4s
	add	v31.4s, v29.4s, v17.4s
	sha256su0	v29.4s, v28.4s
	mov	v8.16b, v9.16b
	sha256su1	v29.4s, v27.4s, v30.4s
	sha256h	q8, q0, v10.4s
	sha256h2	q0, q9, v10.4s
	add	v10.4s, v28.4s, v16.4s
	sha256su0	v28.4s, v27.4s
	mov	v9.16b, v8.16b
	sha256su1	v28.4s, v30.4s, v29.4s
	sha256h	q9, q0, v31.4s
	sha256h2	q0, q8, v31.4s
	add	v31.4s, v27.4s, v7.4s
	sha256su0	v27.4s, v30.4s
	mov	v8.16b, v9.16b
	sha256su1	v27.4s, v29.4s, v28.4s
	add	v28.4s, v28.4s, v4.4s
	sha256h	q8, q0, v10.4s
	sha256h2	q0, q9, v10.4s
	add	v10.4s, v30.4s, v6.4s
	add	v27.4s, v27.4s, v3.4s
	mov	v9.16b, v8.16b
	sha256h	q9, q0, v31.4s
	sha256h2	q0, q8, v31.4s
	add	v8.4s, v29.4s, v5.4s
	mov	v31.16b, v9.16b
	sha256h	q31, q0, v10.4s
	sha256h2	q0, q9, v10.4s
	mov	v30.16b, v31.16b
	sha256h	q30, q0, v8.4s
	sha256h2	q0, q31, v8.4s
	mov	v29.16b, v30.16b
	sha256h	q29, q0, v28.4s
	sha256h2	q0, q30, v28.4s
	mov	v8.16b, v29.16b
	sha256h	q8, q0, v27.4s
	sha256h2	q0, q29, v27.4s
	add	v2.4s, v2.4s, v8.4s
	add	v1.4s, v1.4s, v0.4s
	cmp	x4, x1
	b.ne	.L2
	stp	q2, q1, [x0]
	ldr	d10, [sp, #16]
	ldp	d8, d9, [sp], #96
	ret
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
run:
	stp	x29, x30, [sp, #-32]!
	mov	x1, #4160
	add	x5, x2, #64
	mov	x29, sp
	mov	x6, x0
	movi	v7.4s, #4
	mov	x0, x2
	add	x2, x2, x1
	adrp	x1, .LC16
	stp	d11, d12, [sp, #16]
	movi	v6.4s, #8
	movi	v11.4s, #16
	movi	v5.4s, #12
	ldr	q2, [x1, :lo12:.LC16]
	mov	x1, x5
	.p2align	3, , 7
.L9:
	mov	v0.16b, v2.16b
	add	v2.4s, v2.4s, v11.4s
	add	v1.4s, v0.4s, v6.4s
	add	v3.4s, v0.4s, v5.4s
	add	v4.4s, v0.4s, v7.4s
	uzp1	v1.8h, v1.8h, v3.8h
	uzp1	v0.8h, v0.8h, v4.8h
	uzp1	v0.16b, v0.16b, v1.16b
	shl	v1.16b, v0.16b, #3
	sub	v0.16b, v1.16b, v0.16b
	str	q0, [x1], #16
	cmp	x2, x1
	b.ne	.L9
	movi	v0.4s, #0
	add	x1, x0, #1, lsl #12             // =4096
	mov	w2, #-128
	str	q0, [x0, #4160]
	str	q0, [x0, #4176]
	str	q0, [x0, #4192]
	str	q0, [x0, #4208]
	strb	w2, [x1, #64]
	strb	w2, [x1, #126]
	cbz	x6, .L11
	adrp	x1, .LC17
	ldr	q12, [x1, :lo12:.LC17]
	adrp	x1, .LC18
	ldr	q11, [x1, :lo12:.LC18]
	.p2align	3, , 7
.L10:
	mov	x1, x5
	stp	q12, q11, [x0]
	bl	blocks.constprop.0
	mov	x2, #0
	.p2align	3, , 7
.L12:
	asr	w3, w2, #2
	mvn	w4, w2
	ubfiz	w4, w4, #3, #2
	ldr	w3, [x0, w3, sxtw #2]
	lsr	w3, w3, w4
	strb	w3, [x5, x2]
	add	x2, x2, #1
	cmp	x2, #32
	b.ne	.L12
	subs	x6, x6, #1
	b.ne	.L10
.L11:
	ldp	w1, w0, [x0]
	ldp	d11, d12, [sp, #16]
	orr	x0, x0, x1, lsl #32
	ldp	x29, x30, [sp], #32
	ret
.Ltmp1:
	.section	.rodata
	.p2align	4
.LC0:
	.word	1116352408
	.word	1899447441
	.word	-1245643825
	.word	-373957723
	.p2align	4
.LC1:
	.word	961987163
	.word	1508970993
	.word	-1841331548
	.word	-1424204075
	.p2align	4
.LC2:
	.word	-670586216
	.word	310598401
	.word	607225278
	.word	1426881987
	.p2align	4
.LC3:
	.word	1925078388
	.word	-2132889090
	.word	-1680079193
	.word	-1046744716
	.p2align	4
.LC4:
	.word	-459576895
	.word	-272742522
	.word	264347078
	.word	604807628
	.p2align	4
.LC5:
	.word	770255983
	.word	1249150122
	.word	1555081692
	.word	1996064986
	.p2align	4
.LC6:
	.word	-1740746414
	.word	-1473132947
	.word	-1341970488
	.word	-1084653625
	.p2align	4
.LC7:
	.word	-958395405
	.word	-710438585
	.word	113926993
	.word	338241895
	.p2align	4
.LC8:
	.word	666307205
	.word	773529912
	.word	1294757372
	.word	1396182291
	.p2align	4
.LC9:
	.word	1695183700
	.word	1986661051
	.word	-2117940946
	.word	-1838011259
	.p2align	4
.LC10:
	.word	-1564481375
	.word	-1474664885
	.word	-1035236496
	.word	-949202525
	.p2align	4
.LC11:
	.word	-778901479
	.word	-694614492
	.word	-200395387
	.word	275423344
	.p2align	4
.LC12:
	.word	430227734
	.word	506948616
	.word	659060556
	.word	883997877
	.p2align	4
.LC13:
	.word	958139571
	.word	1322822218
	.word	1537002063
	.word	1747873779
	.p2align	4
.LC14:
	.word	1955562222
	.word	2024104815
	.word	-2067236844
	.word	-1933114872
	.p2align	4
.LC15:
	.word	-1866530822
	.word	-1538233109
	.word	-1090935817
	.word	-965641998
	.p2align	4
.LC16:
	.word	0
	.word	1
	.word	2
	.word	3
	.p2align	4
.LC17:
	.word	1779033703
	.word	-1150833019
	.word	1013904242
	.word	-1521486534
	.p2align	4
.LC18:
	.word	1359893119
	.word	-1694144372
	.word	528734635
	.word	1541459225
