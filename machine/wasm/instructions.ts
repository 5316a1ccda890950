/**
 * The tables of WebAssembly instructions (core specification 2.0, 5.4) by the name of the writer's method:
 * `i32.add` is `i32Add`. A code above 0xff is a prefix byte and a number: 0xfd6e is number 0x6e after 0xfd.
 * Relaxed SIMD (numbers from 0x100) is left out: its results differ from host to host.
 */

/** Instructions without immediates. */
// deno-fmt-ignore
export const PLAIN = {
  unreachable: 0x00, nop: 0x01, drop: 0x1a, select: 0x1b,
  // Integers.
  i32Eqz: 0x45, i32Eq: 0x46, i32Ne: 0x47, i32LtS: 0x48, i32LtU: 0x49, i32GtS: 0x4a, i32GtU: 0x4b, i32LeS: 0x4c, i32LeU: 0x4d,
  i32GeS: 0x4e, i32GeU: 0x4f,
  i64Eqz: 0x50, i64Eq: 0x51, i64Ne: 0x52, i64LtS: 0x53, i64LtU: 0x54, i64GtS: 0x55, i64GtU: 0x56, i64LeS: 0x57, i64LeU: 0x58,
  i64GeS: 0x59, i64GeU: 0x5a,
  i32Clz: 0x67, i32Ctz: 0x68, i32Popcnt: 0x69, i32Add: 0x6a, i32Sub: 0x6b, i32Mul: 0x6c, i32DivS: 0x6d, i32DivU: 0x6e,
  i32RemS: 0x6f, i32RemU: 0x70, i32And: 0x71, i32Or: 0x72, i32Xor: 0x73, i32Shl: 0x74, i32ShrS: 0x75, i32ShrU: 0x76,
  i32Rotl: 0x77, i32Rotr: 0x78,
  i64Clz: 0x79, i64Ctz: 0x7a, i64Popcnt: 0x7b, i64Add: 0x7c, i64Sub: 0x7d, i64Mul: 0x7e, i64DivS: 0x7f, i64DivU: 0x80,
  i64RemS: 0x81, i64RemU: 0x82, i64And: 0x83, i64Or: 0x84, i64Xor: 0x85, i64Shl: 0x86, i64ShrS: 0x87, i64ShrU: 0x88,
  i64Rotl: 0x89, i64Rotr: 0x8a,
  i32WrapI64: 0xa7, i64ExtendI32S: 0xac, i64ExtendI32U: 0xad,
  i32Extend8S: 0xc0, i32Extend16S: 0xc1, i64Extend8S: 0xc2, i64Extend16S: 0xc3, i64Extend32S: 0xc4,
  // Floating point.
  f32Eq: 0x5b, f32Ne: 0x5c, f32Lt: 0x5d, f32Gt: 0x5e, f32Le: 0x5f, f32Ge: 0x60,
  f64Eq: 0x61, f64Ne: 0x62, f64Lt: 0x63, f64Gt: 0x64, f64Le: 0x65, f64Ge: 0x66,
  f32Abs: 0x8b, f32Neg: 0x8c, f32Ceil: 0x8d, f32Floor: 0x8e, f32Trunc: 0x8f, f32Nearest: 0x90, f32Sqrt: 0x91, f32Add: 0x92,
  f32Sub: 0x93, f32Mul: 0x94, f32Div: 0x95, f32Min: 0x96, f32Max: 0x97, f32Copysign: 0x98,
  f64Abs: 0x99, f64Neg: 0x9a, f64Ceil: 0x9b, f64Floor: 0x9c, f64Trunc: 0x9d, f64Nearest: 0x9e, f64Sqrt: 0x9f, f64Add: 0xa0,
  f64Sub: 0xa1, f64Mul: 0xa2, f64Div: 0xa3, f64Min: 0xa4, f64Max: 0xa5, f64Copysign: 0xa6,
  i32TruncF32S: 0xa8, i32TruncF32U: 0xa9, i32TruncF64S: 0xaa, i32TruncF64U: 0xab,
  i64TruncF32S: 0xae, i64TruncF32U: 0xaf, i64TruncF64S: 0xb0, i64TruncF64U: 0xb1,
  f32ConvertI32S: 0xb2, f32ConvertI32U: 0xb3, f32ConvertI64S: 0xb4, f32ConvertI64U: 0xb5, f32DemoteF64: 0xb6,
  f64ConvertI32S: 0xb7, f64ConvertI32U: 0xb8, f64ConvertI64S: 0xb9, f64ConvertI64U: 0xba, f64PromoteF32: 0xbb,
  i32ReinterpretF32: 0xbc, i64ReinterpretF64: 0xbd, f32ReinterpretI32: 0xbe, f64ReinterpretI64: 0xbf,
  i32TruncSatF32S: 0xfc00, i32TruncSatF32U: 0xfc01, i32TruncSatF64S: 0xfc02, i32TruncSatF64U: 0xfc03,
  i64TruncSatF32S: 0xfc04, i64TruncSatF32U: 0xfc05, i64TruncSatF64S: 0xfc06, i64TruncSatF64U: 0xfc07,
  // Vectors: whole, splats, comparisons.
  v128Not: 0xfd4d, v128And: 0xfd4e, v128Andnot: 0xfd4f, v128Or: 0xfd50, v128Xor: 0xfd51, v128Bitselect: 0xfd52,
  v128AnyTrue: 0xfd53,
  i8x16Swizzle: 0xfd0e, i8x16Splat: 0xfd0f, i16x8Splat: 0xfd10, i32x4Splat: 0xfd11, i64x2Splat: 0xfd12, f32x4Splat: 0xfd13,
  f64x2Splat: 0xfd14,
  i8x16Eq: 0xfd23, i8x16Ne: 0xfd24, i8x16LtS: 0xfd25, i8x16LtU: 0xfd26, i8x16GtS: 0xfd27, i8x16GtU: 0xfd28, i8x16LeS: 0xfd29,
  i8x16LeU: 0xfd2a, i8x16GeS: 0xfd2b, i8x16GeU: 0xfd2c,
  i16x8Eq: 0xfd2d, i16x8Ne: 0xfd2e, i16x8LtS: 0xfd2f, i16x8LtU: 0xfd30, i16x8GtS: 0xfd31, i16x8GtU: 0xfd32, i16x8LeS: 0xfd33,
  i16x8LeU: 0xfd34, i16x8GeS: 0xfd35, i16x8GeU: 0xfd36,
  i32x4Eq: 0xfd37, i32x4Ne: 0xfd38, i32x4LtS: 0xfd39, i32x4LtU: 0xfd3a, i32x4GtS: 0xfd3b, i32x4GtU: 0xfd3c, i32x4LeS: 0xfd3d,
  i32x4LeU: 0xfd3e, i32x4GeS: 0xfd3f, i32x4GeU: 0xfd40,
  i64x2Eq: 0xfdd6, i64x2Ne: 0xfdd7, i64x2LtS: 0xfdd8, i64x2GtS: 0xfdd9, i64x2LeS: 0xfdda, i64x2GeS: 0xfddb,
  f32x4Eq: 0xfd41, f32x4Ne: 0xfd42, f32x4Lt: 0xfd43, f32x4Gt: 0xfd44, f32x4Le: 0xfd45, f32x4Ge: 0xfd46,
  f64x2Eq: 0xfd47, f64x2Ne: 0xfd48, f64x2Lt: 0xfd49, f64x2Gt: 0xfd4a, f64x2Le: 0xfd4b, f64x2Ge: 0xfd4c,
  // Vectors of bytes.
  i8x16Abs: 0xfd60, i8x16Neg: 0xfd61, i8x16Popcnt: 0xfd62, i8x16AllTrue: 0xfd63, i8x16Bitmask: 0xfd64,
  i8x16NarrowI16x8S: 0xfd65, i8x16NarrowI16x8U: 0xfd66, i8x16Shl: 0xfd6b, i8x16ShrS: 0xfd6c, i8x16ShrU: 0xfd6d,
  i8x16Add: 0xfd6e, i8x16AddSatS: 0xfd6f, i8x16AddSatU: 0xfd70, i8x16Sub: 0xfd71, i8x16SubSatS: 0xfd72, i8x16SubSatU: 0xfd73,
  i8x16MinS: 0xfd76, i8x16MinU: 0xfd77, i8x16MaxS: 0xfd78, i8x16MaxU: 0xfd79, i8x16AvgrU: 0xfd7b,
  // Vectors of halfwords.
  i16x8ExtaddPairwiseI8x16S: 0xfd7c, i16x8ExtaddPairwiseI8x16U: 0xfd7d, i16x8Abs: 0xfd80, i16x8Neg: 0xfd81,
  i16x8Q15mulrSatS: 0xfd82, i16x8AllTrue: 0xfd83, i16x8Bitmask: 0xfd84, i16x8NarrowI32x4S: 0xfd85, i16x8NarrowI32x4U: 0xfd86,
  i16x8ExtendLowI8x16S: 0xfd87, i16x8ExtendHighI8x16S: 0xfd88, i16x8ExtendLowI8x16U: 0xfd89, i16x8ExtendHighI8x16U: 0xfd8a,
  i16x8Shl: 0xfd8b, i16x8ShrS: 0xfd8c, i16x8ShrU: 0xfd8d, i16x8Add: 0xfd8e, i16x8AddSatS: 0xfd8f, i16x8AddSatU: 0xfd90,
  i16x8Sub: 0xfd91, i16x8SubSatS: 0xfd92, i16x8SubSatU: 0xfd93, i16x8Mul: 0xfd95, i16x8MinS: 0xfd96, i16x8MinU: 0xfd97,
  i16x8MaxS: 0xfd98, i16x8MaxU: 0xfd99, i16x8AvgrU: 0xfd9b, i16x8ExtmulLowI8x16S: 0xfd9c, i16x8ExtmulHighI8x16S: 0xfd9d,
  i16x8ExtmulLowI8x16U: 0xfd9e, i16x8ExtmulHighI8x16U: 0xfd9f,
  // Vectors of words.
  i32x4ExtaddPairwiseI16x8S: 0xfd7e, i32x4ExtaddPairwiseI16x8U: 0xfd7f, i32x4Abs: 0xfda0, i32x4Neg: 0xfda1,
  i32x4AllTrue: 0xfda3, i32x4Bitmask: 0xfda4, i32x4ExtendLowI16x8S: 0xfda7, i32x4ExtendHighI16x8S: 0xfda8,
  i32x4ExtendLowI16x8U: 0xfda9, i32x4ExtendHighI16x8U: 0xfdaa, i32x4Shl: 0xfdab, i32x4ShrS: 0xfdac, i32x4ShrU: 0xfdad,
  i32x4Add: 0xfdae, i32x4Sub: 0xfdb1, i32x4Mul: 0xfdb5, i32x4MinS: 0xfdb6, i32x4MinU: 0xfdb7, i32x4MaxS: 0xfdb8,
  i32x4MaxU: 0xfdb9, i32x4DotI16x8S: 0xfdba, i32x4ExtmulLowI16x8S: 0xfdbc, i32x4ExtmulHighI16x8S: 0xfdbd,
  i32x4ExtmulLowI16x8U: 0xfdbe, i32x4ExtmulHighI16x8U: 0xfdbf,
  // Vectors of doublewords.
  i64x2Abs: 0xfdc0, i64x2Neg: 0xfdc1, i64x2AllTrue: 0xfdc3, i64x2Bitmask: 0xfdc4, i64x2ExtendLowI32x4S: 0xfdc7,
  i64x2ExtendHighI32x4S: 0xfdc8, i64x2ExtendLowI32x4U: 0xfdc9, i64x2ExtendHighI32x4U: 0xfdca, i64x2Shl: 0xfdcb,
  i64x2ShrS: 0xfdcc, i64x2ShrU: 0xfdcd, i64x2Add: 0xfdce, i64x2Sub: 0xfdd1, i64x2Mul: 0xfdd5, i64x2ExtmulLowI32x4S: 0xfddc,
  i64x2ExtmulHighI32x4S: 0xfddd, i64x2ExtmulLowI32x4U: 0xfdde, i64x2ExtmulHighI32x4U: 0xfddf,
  // Vectors of floating point.
  f32x4Ceil: 0xfd67, f32x4Floor: 0xfd68, f32x4Trunc: 0xfd69, f32x4Nearest: 0xfd6a, f32x4Abs: 0xfde0, f32x4Neg: 0xfde1,
  f32x4Sqrt: 0xfde3, f32x4Add: 0xfde4, f32x4Sub: 0xfde5, f32x4Mul: 0xfde6, f32x4Div: 0xfde7, f32x4Min: 0xfde8,
  f32x4Max: 0xfde9, f32x4Pmin: 0xfdea, f32x4Pmax: 0xfdeb,
  f64x2Ceil: 0xfd74, f64x2Floor: 0xfd75, f64x2Trunc: 0xfd7a, f64x2Nearest: 0xfd94, f64x2Abs: 0xfdec, f64x2Neg: 0xfded,
  f64x2Sqrt: 0xfdef, f64x2Add: 0xfdf0, f64x2Sub: 0xfdf1, f64x2Mul: 0xfdf2, f64x2Div: 0xfdf3, f64x2Min: 0xfdf4,
  f64x2Max: 0xfdf5, f64x2Pmin: 0xfdf6, f64x2Pmax: 0xfdf7,
  i32x4TruncSatF32x4S: 0xfdf8, i32x4TruncSatF32x4U: 0xfdf9, f32x4ConvertI32x4S: 0xfdfa, f32x4ConvertI32x4U: 0xfdfb,
  i32x4TruncSatF64x2SZero: 0xfdfc, i32x4TruncSatF64x2UZero: 0xfdfd, f64x2ConvertLowI32x4S: 0xfdfe,
  f64x2ConvertLowI32x4U: 0xfdff, f32x4DemoteF64x2Zero: 0xfd5e, f64x2PromoteLowF32x4: 0xfd5f,
} as const;

/** Instructions whose immediate is an index: of a local, a global, a function or a lane. */
// deno-fmt-ignore
export const INDEXED = {
  localGet: 0x20, localSet: 0x21, localTee: 0x22, globalGet: 0x23, globalSet: 0x24, call: 0x10, returnCall: 0x12,
  i8x16ExtractLaneS: 0xfd15, i8x16ExtractLaneU: 0xfd16, i8x16ReplaceLane: 0xfd17, i16x8ExtractLaneS: 0xfd18,
  i16x8ExtractLaneU: 0xfd19, i16x8ReplaceLane: 0xfd1a, i32x4ExtractLane: 0xfd1b, i32x4ReplaceLane: 0xfd1c,
  i64x2ExtractLane: 0xfd1d, i64x2ReplaceLane: 0xfd1e, f32x4ExtractLane: 0xfd1f, f32x4ReplaceLane: 0xfd20,
  f64x2ExtractLane: 0xfd21, f64x2ReplaceLane: 0xfd22,
} as const;

/** Instructions that access memory: code and binary logarithm of the bytes accessed, which is the alignment hint. */
// deno-fmt-ignore
export const MEMORY = {
  i32Load: [0x28, 2], i64Load: [0x29, 3], f32Load: [0x2a, 2], f64Load: [0x2b, 3],
  i32Load8S: [0x2c, 0], i32Load8U: [0x2d, 0], i32Load16S: [0x2e, 1], i32Load16U: [0x2f, 1],
  i64Load8S: [0x30, 0], i64Load8U: [0x31, 0], i64Load16S: [0x32, 1], i64Load16U: [0x33, 1], i64Load32S: [0x34, 2],
  i64Load32U: [0x35, 2],
  i32Store: [0x36, 2], i64Store: [0x37, 3], f32Store: [0x38, 2], f64Store: [0x39, 3], i32Store8: [0x3a, 0],
  i32Store16: [0x3b, 1], i64Store8: [0x3c, 0], i64Store16: [0x3d, 1], i64Store32: [0x3e, 2],
  v128Load: [0xfd00, 4], v128Load8x8S: [0xfd01, 3], v128Load8x8U: [0xfd02, 3], v128Load16x4S: [0xfd03, 3],
  v128Load16x4U: [0xfd04, 3], v128Load32x2S: [0xfd05, 3], v128Load32x2U: [0xfd06, 3], v128Load8Splat: [0xfd07, 0],
  v128Load16Splat: [0xfd08, 1], v128Load32Splat: [0xfd09, 2], v128Load64Splat: [0xfd0a, 3], v128Load32Zero: [0xfd5c, 2],
  v128Load64Zero: [0xfd5d, 3], v128Store: [0xfd0b, 4],
} as const;

/** Instructions that access memory and one lane: code and binary logarithm of the bytes accessed. */
// deno-fmt-ignore
export const MEMORY_LANE = {
  v128Load8Lane: [0xfd54, 0], v128Load16Lane: [0xfd55, 1], v128Load32Lane: [0xfd56, 2], v128Load64Lane: [0xfd57, 3],
  v128Store8Lane: [0xfd58, 0], v128Store16Lane: [0xfd59, 1], v128Store32Lane: [0xfd5a, 2], v128Store64Lane: [0xfd5b, 3],
} as const;

/** Name of an instruction without immediates. */
export type PlainInstruction = keyof typeof PLAIN;

/** The writer's methods that come from the tables. */
export type TableMethods =
  & { readonly [Name in PlainInstruction]: () => void }
  & { readonly [Name in keyof typeof INDEXED]: (index: number) => void }
  & { readonly [Name in keyof typeof MEMORY]: (offset?: number) => void }
  & { readonly [Name in keyof typeof MEMORY_LANE]: (lane: number, offset?: number) => void };
