// From core.c and program.h by bench/generate.ts; sha256 cd72cbd77a475f5b
	.text
	.p2align	2
	.p2align	4, , 11
by_value:
	ldrsh	w2, [x0]
	ldrsh	w0, [x1]
	sub	w0, w2, w0
	ret
.Ltmp0:
	.p2align	2
	.p2align	4, , 11
by_index:
	ldrsh	w2, [x0, #2]
	ldrsh	w0, [x1, #2]
	sub	w0, w2, w0
	ret
.Ltmp1:
	.p2align	2
	.p2align	4, , 11
merge_sort:
	stp	x29, x30, [sp, #-96]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	mov	x19, x0
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	mov	x24, x1
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	w28, #1
	cbz	x19, .L5
.L30:
	cmp	w28, #0
	mov	w25, #0
	cset	w26, ne
	mov	x21, #0
	mov	x23, #0
	.p2align	3, , 7
.L15:
	cmp	x19, #0
	add	w25, w25, #1
	ccmp	w26, #0, #4, ne
	mov	x0, x19
	mov	w20, #0
	b.eq	.L6
	.p2align	3, , 7
.L7:
	ldr	x0, [x0]
	add	w20, w20, #1
	cmp	x0, #0
	ccmp	w28, w20, #0, ne
	b.hi	.L7
.L6:
	mov	w22, w28
	mov	x27, x19
	cmp	w22, #0
	mov	x19, x0
	ccmp	x19, #0, #4, ne
	cbnz	w20, .L13
	.p2align	3, , 7
.L27:
	b.eq	.L26
.L14:
	mov	x0, x19
	sub	w22, w22, #1
	ldr	x19, [x19]
	cbz	x21, .L20
.L28:
	str	x0, [x21]
	mov	x21, x0
.L29:
	cmp	w22, #0
	ccmp	x19, #0, #4, ne
	cbz	w20, .L27
.L13:
	b.eq	.L11
	ldr	x1, [x19, #8]
	ldr	x0, [x27, #8]
	blr	x24
	cmp	w0, #0
	b.gt	.L14
.L11:
	mov	x0, x27
	sub	w20, w20, #1
	ldr	x27, [x27]
	cbnz	x21, .L28
.L20:
	mov	x23, x0
	mov	x21, x0
	b	.L29
	.p2align	2, , 3
.L26:
	cbnz	x19, .L15
	str	xzr, [x21]
	cmp	w25, #1
	b.ls	.L24
	lsl	w28, w28, #1
	mov	x19, x23
	cbnz	x19, .L30
.L5:
	str	xzr, [x19]
	brk	#0x3e8
.L24:
	ldp	x19, x20, [sp, #16]
	mov	x0, x23
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
.Ltmp2:
	.p2align	2
	.p2align	4, , 11
read_text:
	ldrb	w3, [x0]
	add	x6, x1, #4
	cbz	w3, .L31
	.p2align	3, , 7
.L32:
	mov	x5, x1
	mov	x4, #0
	cmp	w3, #44
	b.eq	.L51
	.p2align	3, , 7
.L52:
	sub	w5, w3, #48
	and	w5, w5, #0xff
	cmp	w4, #4
	b.eq	.L34
	b.hi	.L35
	cmp	w4, #2
	b.eq	.L36
	cmp	w4, #3
	b.ne	.L70
	cmp	w5, #9
	b.ls	.L42
	cmp	w3, #46
	b.eq	.L71
	.p2align	3, , 7
.L44:
	ldr	w3, [x2, x4, lsl #2]
	mov	x5, x6
	add	w3, w3, #1
	str	w3, [x2, x4, lsl #2]
	ldrb	w3, [x0]
	cmp	w3, #44
	ccmp	w3, #0, #4, ne
	b.eq	.L51
.L50:
	ldrb	w3, [x0, #1]!
	cmp	w3, #44
	ccmp	w3, #0, #4, ne
	b.ne	.L50
.L51:
	ldr	w3, [x5]
	add	w3, w3, #1
	str	w3, [x5]
	ldrb	w3, [x0]
	cmp	w3, #44
	b.eq	.L72
.L53:
	cbnz	w3, .L32
.L31:
	ret
	.p2align	2, , 3
.L72:
	ldrb	w3, [x0, #1]
	add	x0, x0, #1
	cbnz	w3, .L32
	b	.L31
	.p2align	2, , 3
.L35:
	cmp	w4, #5
	b.eq	.L73
	cmp	w5, #9
	b.ls	.L49
	mov	x4, #6
	b	.L44
	.p2align	2, , 3
.L34:
	cmp	w5, #9
	b.ls	.L45
	and	w3, w3, #0xffffffdf
	cmp	w3, #69
	b.ne	.L44
	ldr	w3, [x2, #16]
	mov	x4, #5
	add	w3, w3, #1
	str	w3, [x2, #16]
	.p2align	3, , 7
.L47:
	ldrb	w3, [x0, #1]!
	cmp	w3, #44
	ccmp	w3, #0, #4, ne
	b.ne	.L52
	ubfiz	x4, x4, #2, #3
	add	x5, x1, x4
	ldr	w3, [x5]
	add	w3, w3, #1
	str	w3, [x5]
	ldrb	w3, [x0]
	cmp	w3, #44
	b.ne	.L53
	b	.L72
	.p2align	2, , 3
.L73:
	sub	w3, w3, #43
	mov	w7, #253
	tst	w3, w7
	ccmp	w5, #9, #0, ne
	b.hi	.L44
	ldr	w3, [x2, #20]
	add	w3, w3, #1
	str	w3, [x2, #20]
.L49:
	mov	x4, #6
	b	.L47
	.p2align	2, , 3
.L70:
	cmp	w5, #9
	b.ls	.L74
	sub	w4, w3, #43
	mov	w5, #253
	tst	w4, w5
	b.eq	.L43
	cmp	w3, #46
	b.eq	.L75
	mov	x4, #0
	b	.L44
	.p2align	2, , 3
.L36:
	cmp	w5, #9
	b.ls	.L46
	cmp	w3, #46
	b.ne	.L44
	ldr	w3, [x2, #8]
	add	w3, w3, #1
	str	w3, [x2, #8]
.L45:
	mov	x4, #4
	b	.L47
	.p2align	2, , 3
.L74:
	ldr	w3, [x2]
	add	w3, w3, #1
	str	w3, [x2]
.L42:
	mov	x4, #3
	b	.L47
	.p2align	2, , 3
.L46:
	ldr	w3, [x2, #8]
	mov	x4, #3
	add	w3, w3, #1
	str	w3, [x2, #8]
	b	.L47
	.p2align	2, , 3
.L43:
	ldr	w3, [x2]
	mov	x4, #2
	add	w3, w3, #1
	str	w3, [x2]
	b	.L47
	.p2align	2, , 3
.L71:
	ldr	w3, [x2, #12]
	mov	x4, #4
	add	w3, w3, #1
	str	w3, [x2, #12]
	b	.L47
	.p2align	2, , 3
.L75:
	ldr	w3, [x2]
	mov	x4, #4
	add	w3, w3, #1
	str	w3, [x2]
	b	.L47
.Ltmp3:
	.p2align	2
	.p2align	4, , 11
run:
	stp	x29, x30, [sp, #-224]!
	mov	x3, x0
	mov	x0, #36002
	movk	x0, #37590, lsl #16
	mov	x29, sp
	eor	x0, x0, x0, lsl #13
	stp	x25, x26, [sp, #64]
	mov	x26, x2
	add	x1, x26, #16
	eor	x0, x0, x0, lsr #7
	stp	x27, x28, [sp, #80]
	mov	x8, x2
	eor	x0, x0, x0, lsl #17
	add	x2, x2, #1536
	mov	w4, #0
	stur	x2, [x1, #-8]
	sxth	w5, w4
	sxth	w6, w0
	cmp	w4, #95
	b.eq	.L77
.L186:
	eor	x0, x0, x0, lsl #13
	stur	x1, [x1, #-16]
	add	x1, x1, #16
	add	w4, w4, #1
	eor	x0, x0, x0, lsr #7
	strh	w6, [x2]
	strh	w5, [x2, #2]
	add	x2, x2, #4
	eor	x0, x0, x0, lsl #17
	stur	x2, [x1, #-8]
	sxth	w5, w4
	sxth	w6, w0
	cmp	w4, #95
	b.ne	.L186
.L77:
	add	x27, x26, #1960
	add	x28, x26, #2760
	mov	x2, x27
	str	xzr, [x26, #1520]
	strh	w6, [x26, #1916]
	strh	w5, [x26, #1918]
.L135:
	sub	x1, x2, #40
.L79:
	eor	x0, x0, x0, lsl #13
	add	x1, x1, #2
	eor	x0, x0, x0, lsr #7
	and	w4, w0, #0x3ff
	sturh	w4, [x1, #-2]
	eor	x0, x0, x0, lsl #17
	eor	x0, x0, x0, lsl #13
	eor	x0, x0, x0, lsr #7
	and	w4, w0, #0x3ff
	strh	w4, [x1, #798]
	eor	x0, x0, x0, lsl #17
	cmp	x2, x1
	b.ne	.L79
	add	x2, x2, #40
	cmp	x2, x28
	b.ne	.L135
	adrp	x9, tokens
	mov	x11, #-6148914691236517206
	add	x9, x9, :lo12:tokens
	mov	w1, #0
	movk	x11, #43691
	mov	w10, #44
.L80:
	eor	x0, x0, x0, lsl #13
	add	w4, w1, #2
	eor	x0, x0, x0, lsr #7
	eor	x0, x0, x0, lsl #17
	umulh	x2, x0, x11
	lsr	x2, x2, #3
	add	x2, x2, x2, lsl #1
	sub	x2, x0, x2, lsl #2
	ldr	x5, [x9, x2, lsl #3]
	ldrb	w2, [x5]
	cbz	w2, .L81
	mov	w2, #0
.L82:
	add	w6, w2, #1
	mov	x2, x6
	ldrb	w7, [x5, w6, uxtw]
	cbnz	w7, .L82
	add	w4, w6, w4
	cmp	w4, #768
	b.hi	.L84
	mov	x4, x5
	add	x5, x5, x6
	sub	w7, w1, w4
	cbz	w6, .L85
.L90:
	add	w6, w7, w4
	ldrb	w12, [x4]
	add	x6, x26, x6
	add	x4, x4, #1
	add	x6, x6, #1, lsl #12             // =4096
	strb	w12, [x6, #1024]
	cmp	x4, x5
	b.ne	.L90
	add	w1, w1, w2
.L85:
	add	x2, x26, w1, uxtw
	add	w1, w1, #1
	add	x2, x2, #1, lsl #12             // =4096
	strb	w10, [x2, #1024]
	b	.L80
.L81:
	cmp	w4, #768
	b.ls	.L85
.L84:
	cmp	w1, #767
	b.hi	.L92
	ubfx	x2, x1, #0, #32
	mov	w0, #767
	sub	w0, w0, w1
	mov	x4, #5120
	add	x0, x0, x2
	add	x1, x2, x4
	mov	x5, #5121
	add	x2, x26, x5
	add	x1, x26, x1
	add	x0, x0, x2
.L91:
	strb	wzr, [x1], #1
	cmp	x0, x1
	b.ne	.L91
.L92:
	mov	x25, #0
	cbz	x3, .L76
	adrp	x0, by_index
	add	x0, x0, :lo12:by_index
	adrp	x1, by_value
	add	x1, x1, :lo12:by_value
	str	x0, [sp, #112]
	mov	x25, #0
	stp	x1, x3, [sp, #128]
	mov	x3, #5120
	add	x0, x26, x3
	stp	x21, x22, [sp, #32]
	add	x22, x26, #2720
	mov	x21, #0
	stp	x23, x24, [sp, #48]
	mov	w24, #3392
	add	x23, x26, #1920
	str	x0, [sp, #96]
	add	x0, x26, #3520
	movk	w24, #3, lsl #16
	stp	x19, x20, [sp, #16]
	mov	w20, #120
	str	x0, [sp, #104]
	add	x0, x26, #3600
	str	x0, [sp, #120]
.L134:
	sub	w5, w20, #120
	mov	w4, #0
	and	w5, w5, #0xffff
	mov	w6, #0
	mov	w7, w5
.L100:
	and	w2, w7, #0xff
	mov	x0, x8
	cbnz	x8, .L93
	b	.L94
	.p2align	2, , 3
.L96:
	ldr	x0, [x0]
	cbz	x0, .L95
.L93:
	ldr	x1, [x0, #8]
	ldrb	w1, [x1]
	cmp	w2, w1
	b.ne	.L96
.L95:
	mov	x2, #0
	b	.L97
	.p2align	2, , 3
.L138:
	mov	x8, x1
.L97:
	ldr	x1, [x8]
	str	x2, [x8]
	mov	x2, x8
	cbnz	x1, .L138
	cbz	x0, .L94
	ldp	x2, x1, [x0]
	ldrh	w1, [x1, #2]
	and	w1, w1, #0x3
	add	w4, w4, w1
	cbz	x2, .L99
	ldr	x1, [x2]
	str	x1, [x0]
	str	x8, [x2]
	mov	x8, x2
.L99:
	add	w0, w7, #5
	and	w7, w0, #0xffff
	cmp	w20, w0, uxth
	b.ne	.L100
	ldr	x1, [sp, #128]
	mov	x0, x8
	stp	w6, w4, [sp, #148]
	str	w5, [sp, #156]
	bl	merge_sort
	ldp	w6, w4, [sp, #148]
	ldr	w5, [sp, #156]
	cbz	x0, .L139
	mov	x8, x0
	mov	w19, #0
	mov	w7, #-24575
.L104:
	ldr	x1, [x8, #8]
	mov	w3, #8
	ldrb	w2, [x1]
.L103:
	eor	w9, w19, w2
	lsr	w19, w19, #1
	eor	w1, w19, w7
	lsr	w2, w2, #1
	tst	x9, #0x1
	and	w1, w1, #0xffff
	csel	w19, w19, w1, eq
	subs	w3, w3, #1
	b.ne	.L103
	ldr	x8, [x8]
	cbnz	x8, .L104
.L101:
	ldr	x1, [sp, #112]
	stp	w5, w4, [sp, #148]
	str	w6, [sp, #156]
	bl	merge_sort
	mov	x8, x0
	ldp	w5, w4, [sp, #148]
	mov	w1, #43691
	movk	w1, #43690, lsl #16
	ldr	w6, [sp, #156]
	mov	w7, #-24575
	umull	x1, w5, w1
	ubfiz	w2, w4, #2, #14
	sub	w2, w2, w6
	orr	w4, w6, w4, lsl #16
	mov	w6, #0
	lsr	x0, x1, #38
	add	w0, w0, w0, lsl #1
	sub	w0, w5, w0, lsl #5
	add	x0, x26, w0, uxth #2
	ldrh	w1, [x0, #1536]
	eor	w1, w2, w1
	strh	w1, [x0, #1536]
.L107:
	lsr	w0, w4, w6
	and	w0, w0, #0xff
	mov	w2, #8
.L106:
	eor	w3, w19, w0
	lsr	w19, w19, #1
	eor	w1, w19, w7
	lsr	w0, w0, #1
	tst	x3, #0x1
	and	w1, w1, #0xffff
	csel	w19, w19, w1, eq
	subs	w2, w2, #1
	b.ne	.L106
	add	w6, w6, #8
	cmp	w6, #32
	b.ne	.L107
	and	w0, w21, #0x3f
	mov	x4, x23
	mov	w10, w0
	mov	x1, x27
	dup	v1.4h, w0
	mov	x5, x23
.L108:
	mov	x0, x5
	.p2align	3, , 7
.L109:
	ldr	d0, [x0]
	add	v0.4h, v1.4h, v0.4h
	str	d0, [x0], #8
	cmp	x0, x1
	b.ne	.L109
	add	x1, x0, #40
	add	x5, x5, #40
	cmp	x28, x1
	b.ne	.L108
	ldr	x9, [sp, #104]
	mov	x7, x23
	movi	v4.4s, #127
	movi	v3.4s, #15
.L110:
	mov	x0, x22
	mov	x11, x9
	.p2align	3, , 7
.L114:
	movi	v2.4s, #0
	mov	x3, x7
	mov	x1, x0
	add	x6, x0, #800
	.p2align	3, , 7
.L111:
	ldr	d0, [x1], #40
	ldrsh	w5, [x3], #2
	fmov	s5, w5
	sshll	v0.4s, v0.4h, #0
	mul	v0.4s, v0.4s, v5.s[0]
	sshr	v5.4s, v0.4s, #5
	sshr	v0.4s, v0.4s, #2
	and	v5.16b, v5.16b, v4.16b
	and	v0.16b, v0.16b, v3.16b
	mla	v2.4s, v5.4s, v0.4s
	cmp	x1, x6
	b.ne	.L111
	add	x0, x0, #8
	str	q2, [x11], #16
	cmp	x0, x28
	b.ne	.L114
	add	x7, x7, #40
	add	x9, x9, #80
	cmp	x7, x22
	b.ne	.L110
	ldr	x9, [sp, #120]
	mov	x7, #-80
	mov	x12, #0
	mov	w5, #0
	mov	w1, #0
	mov	w11, #0
.L120:
	sub	x0, x9, #80
	b	.L119
	.p2align	2, , 3
.L188:
	add	x0, x0, #4
	add	w5, w5, #10
	mov	w1, #0
	cmp	x0, x9
	b.eq	.L187
.L119:
	ldr	w6, [x0]
	mov	w3, w10
	add	w1, w1, w6
	cmp	w1, w24
	b.gt	.L188
	add	x13, x0, x12
	cbz	w11, .L118
	ldr	w3, [x13, x7]
.L118:
	cmp	w6, w3
	add	x0, x0, #4
	cinc	w5, w5, gt
	cmp	x0, x9
	b.ne	.L119
.L187:
	add	w11, w11, #1
	add	x9, x0, #80
	sub	x12, x12, #80
	add	x7, x7, #80
	cmp	w11, #20
	b.ne	.L120
	mov	x6, x27
.L121:
	mov	x0, x4
	.p2align	3, , 7
.L122:
	ldr	d0, [x0]
	sub	v0.4h, v0.4h, v1.4h
	str	d0, [x0], #8
	cmp	x6, x0
	b.ne	.L122
	add	x6, x6, #40
	add	x4, x4, #40
	cmp	x6, x28
	b.ne	.L121
	eor	w5, w1, w5, lsl #16
	mov	w7, #-24575
.L126:
	lsr	w0, w5, w2
	and	w0, w0, #0xff
	mov	w3, #8
.L125:
	eor	w4, w19, w0
	lsr	w19, w19, #1
	eor	w1, w19, w7
	lsr	w0, w0, #1
	tst	x4, #0x1
	and	w1, w1, #0xffff
	csel	w19, w19, w1, eq
	subs	w3, w3, #1
	b.ne	.L125
	add	w2, w2, #8
	cmp	w2, #32
	b.ne	.L126
	and	w9, w21, #0xff
	mov	x0, #1
.L127:
	lsl	x1, x0, #2
	add	x2, sp, #192
	add	x3, sp, #160
	add	x2, x2, x1
	add	x1, x3, x1
	add	x0, x0, #1
	stur	wzr, [x2, #-4]
	stur	wzr, [x1, #-4]
	cmp	x0, #8
	b.ne	.L127
	ldr	x0, [sp, #96]
	add	x2, sp, #192
	mov	x1, x3
	bl	read_text
	mov	x2, #5120
	and	x0, x9, #0xf
	and	w1, w9, #0xf
	add	x0, x0, x2
	and	w9, w9, #0x1
	add	x0, x26, x0
.L129:
	ldrb	w2, [x0]
	add	w1, w1, #23
	eor	w3, w2, w9
	cmp	w2, #44
	b.eq	.L128
	strb	w3, [x0]
.L128:
	add	x0, x0, #23
	cmp	w1, #766
	b.ls	.L129
	ldr	x0, [sp, #96]
	add	x2, sp, #192
	add	x1, sp, #160
	mov	x9, #1
	bl	read_text
	mov	w6, #-24575
.L133:
	lsl	x0, x9, #2
	add	x1, sp, #160
	add	x2, sp, #192
	add	x1, x1, x0
	add	x0, x2, x0
	mov	w4, #0
	ldur	w5, [x1, #-4]
	ldur	w0, [x0, #-4]
	eor	w5, w0, w5, lsl #16
.L132:
	lsr	w0, w5, w4
	and	w0, w0, #0xff
	mov	w2, #8
	.p2align	3, , 7
.L131:
	eor	w3, w19, w0
	lsr	w19, w19, #1
	eor	w1, w19, w6
	lsr	w0, w0, #1
	tst	x3, #0x1
	and	w1, w1, #0xffff
	csel	w19, w19, w1, eq
	subs	w2, w2, #1
	b.ne	.L131
	add	w4, w4, #8
	cmp	w4, #32
	b.ne	.L132
	add	x9, x9, #1
	cmp	x9, #8
	b.ne	.L133
	mov	x1, #31765
	ubfx	x0, x19, #0, #32
	movk	x1, #32586, lsl #16
	eor	x0, x0, x25
	movk	x1, #31161, lsl #32
	add	w20, w20, #7
	movk	x1, #40503, lsl #48
	add	x21, x21, #1
	and	w20, w20, #0xffff
	mul	x0, x0, x1
	eor	x25, x0, x25, lsr #29
	ldr	x0, [sp, #136]
	cmp	x0, x21
	b.ne	.L134
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
.L76:
	mov	x0, x25
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #224
	ret
.L94:
	add	w6, w6, #1
	b	.L99
.L139:
	mov	w19, #0
	b	.L101
.Ltmp4:
	.section	.rodata
	.p2align	3
.LC0:
	.ascii	"5012"
	.byte	0
	.p2align	3
.LC1:
	.ascii	"-874"
	.byte	0
	.p2align	3
.LC2:
	.ascii	"+122"
	.byte	0
	.p2align	3
.LC3:
	.ascii	"35.54400"
	.byte	0
	.p2align	3
.LC4:
	.ascii	".1234500"
	.byte	0
	.p2align	3
.LC5:
	.ascii	"-110.700"
	.byte	0
	.p2align	3
.LC6:
	.ascii	"5.5e3"
	.byte	0
	.p2align	3
.LC7:
	.ascii	"-.12e-2"
	.byte	0
	.p2align	3
.LC8:
	.ascii	"T0.3e-1F"
	.byte	0
	.p2align	3
.LC9:
	.ascii	"1T3.4e4z"
	.byte	0
	.p2align	3
.LC10:
	.ascii	"+0.644"
	.byte	0
	.p2align	3
.LC11:
	.byte	55
	.byte	0
	.section	.rodata
	.p2align	3
tokens:
	.xword	.LC0
	.xword	.LC1
	.xword	.LC2
	.xword	.LC3
	.xword	.LC4
	.xword	.LC5
	.xword	.LC6
	.xword	.LC7
	.xword	.LC8
	.xword	.LC9
	.xword	.LC10
	.xword	.LC11
