/** The value types of WebAssembly (core specification 5.3) that the project uses. */

/** Their codes. */
export const VALUE_TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Name of a value type. */
export type ValueType = keyof typeof VALUE_TYPES;
