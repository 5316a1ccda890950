/** The table of IR operations: each row is an operation's exact meaning and its WebAssembly form. */
import { CRYPTO_OPERATIONS } from "./crypto_operations.ts";
import {
  emitAddCarry,
  emitBinary,
  emitBitwise,
  emitDivSigned,
  emitDivUnsigned,
  emitMulHigh,
  emitNot,
  emitRotateRight,
  emitShiftRightSigned,
} from "./emit_arithmetic.ts";
import {
  emitConcatenate,
  emitExtract,
  emitLeadingSigns,
  emitLeadingZeros,
  emitReverseBits,
  emitReverseBytes,
  emitSignExtend,
  emitZeroExtend,
} from "./emit_bits.ts";
import { emitCrc32 } from "./emit_crc.ts";
import {
  emitCondition,
  emitEqual,
  emitFlagsOfAdd,
  emitFlagsOfLogic,
  emitFlagsOfSub,
  emitLess,
  emitSelect,
} from "./emit_flags.ts";
import { FLOAT_OPERATIONS } from "./float_operations.ts";
import { FLOAT_PRODUCT_OPERATIONS } from "./float_product_operations.ts";
import { type HelperName, HELPERS } from "./helpers.ts";
import { LANE_OPERATIONS } from "./lane_operations.ts";
import {
  type Access,
  effect,
  faulting,
  int,
  type IrNode,
  mask,
  type OperationRow,
  pure,
  signed,
  wrap,
} from "./operation.ts";

export type { Access, Evaluate, ExecutionContext, IrNode, Width } from "./operation.ts";

function leadingZeros(width: number, value: bigint): bigint {
  let count = width;
  for (; value > 0n; value >>= 8n) {
    if (value < 256n) return BigInt(count - (32 - Math.clz32(Number(value))));
    count -= 8;
  }
  return BigInt(count);
}

function reverseBits(width: number, value: bigint): bigint {
  let result = 0n;
  for (let bit = 0; bit < width; bit++) {
    result = (result << 1n) | (value & 1n);
    value >>= 1n;
  }
  return result;
}

function reverseBytes(width: number, container: number, value: bigint): bigint {
  let result = 0n;
  for (let base = 0; base < width; base += container) {
    for (let byte = 0; byte < container; byte += 8) {
      const moved = (value >> BigInt(base + byte)) & 0xffn;
      result |= moved << BigInt(base + container - 8 - byte);
    }
  }
  return result;
}

/** N and Z of a result, with C and V given (Arm ARM: AddWithCarry). */
function nzcv(width: number, result: bigint, carry: boolean, overflow: boolean): bigint {
  const negative = (result >> BigInt(width - 1)) & 1n;
  return (negative << 3n) | (result === 0n ? 4n : 0n) | (carry ? 2n : 0n) | (overflow ? 1n : 0n);
}

/** Flags of a + b + carry, as AddWithCarry of the Arm ARM computes them. */
function flagsOfAdd(width: number, a: bigint, b: bigint, carry: bigint): bigint {
  const unsignedSum = a + b + carry;
  const result = wrap(width, unsignedSum);
  const signedSum = signed(width, a) + signed(width, b) + carry;
  return nzcv(width, result, unsignedSum !== result, signedSum !== signed(width, result));
}

/** ConditionHolds of the Arm ARM for a condition number and NZCV. */
export function conditionHolds(condition: number, flags: number): boolean {
  const n = (flags & 8) !== 0, z = (flags & 4) !== 0, c = (flags & 2) !== 0, v = (flags & 1) !== 0;
  const base = [z, c, n, v, c && !z, n === v, n === v && !z, true][condition >> 1] as boolean;
  return (condition & 1) === 1 && condition !== 15 ? !base : base;
}

/** CRC of `bits` bits of data over a 32-bit accumulator, bit-reflected (Arm ARM: CRC32, CRC32C). */
function crc(bits: number, polynomial: bigint, accumulator: bigint, data: bigint): bigint {
  let remainder = accumulator ^ wrap(bits, data);
  for (let bit = 0; bit < bits; bit++) {
    remainder = (remainder & 1n) === 1n ? (remainder >> 1n) ^ polynomial : remainder >> 1n;
  }
  return wrap(32, remainder);
}

const bit = (value: boolean): bigint => (value ? 1n : 0n);

/** Every operation. `n` is the node, a–c its arguments, `x` the execution context. */
// deno-fmt-ignore
export const OPERATIONS = {
  ...LANE_OPERATIONS,
  ...FLOAT_OPERATIONS,
  ...FLOAT_PRODUCT_OPERATIONS,
  ...CRYPTO_OPERATIONS,
  // Constants and arithmetic; arguments have the node's width.
  constant:     pure((n) => n.immediates[0] as bigint),
  add:          pure((n, a, b) => wrap(n.width, a + b), emitBinary("Add", true)),
  addCarry:     pure((n, a, b, c) => wrap(n.width, a + b + c), emitAddCarry),
  sub:          pure((n, a, b) => wrap(n.width, a - b), emitBinary("Sub", true)),
  mul:          pure((n, a, b) => wrap(n.width, a * b), emitBinary("Mul", true)),
  mulHighSigned:   pure((n, a, b) => wrap(n.width, (signed(n.width, a) * signed(n.width, b)) >> BigInt(n.width)), emitMulHigh(true)),
  mulHighUnsigned: pure((n, a, b) => (a * b) >> BigInt(n.width), emitMulHigh(false)),
  divUnsigned:  pure((_, a, b) => (b === 0n ? 0n : a / b), emitDivUnsigned),
  divSigned:    pure((n, a, b) => (b === 0n ? 0n : wrap(n.width, signed(n.width, a) / signed(n.width, b))), emitDivSigned),
  and:          pure((_, a, b) => a & b, emitBitwise("And")),
  or:           pure((_, a, b) => a | b, emitBitwise("Or")),
  xor:          pure((_, a, b) => a ^ b, emitBitwise("Xor")),
  not:          pure((n, a) => a ^ mask(n.width), emitNot),
  // Shifts: the amount is below the width.
  shiftLeft:    pure((n, a, b) => wrap(n.width, a << b), emitBinary("Shl", true)),
  shiftRight:   pure((_, a, b) => a >> b, emitBinary("ShrU", false)),
  shiftRightSigned: pure((n, a, b) => wrap(n.width, signed(n.width, a) >> b), emitShiftRightSigned),
  rotateRight:  pure((n, a, b) => wrap(n.width, (a >> b) | (a << (BigInt(n.width) - b))), emitRotateRight),
  // Bits and bytes.
  leadingZeros: pure((n, a) => leadingZeros(n.width, a), emitLeadingZeros),
  leadingSigns: pure((n, a) => leadingZeros(n.width, wrap(n.width, a ^ (signed(n.width, a) >> 1n))) - 1n, emitLeadingSigns),
  reverseBits:  pure((n, a) => reverseBits(n.width, a), emitReverseBits),
  reverseBytes: pure((n, a) => reverseBytes(n.width, int(n, 0), a), emitReverseBytes), // immediate: container bits
  crc32:        pure((n, a, b) => crc(int(n, 0), n.immediates[1] as bigint, a, b), emitCrc32), // data bits, polynomial; accumulator, data
  // Width changes; extract's immediate is the lowest bit, signExtend's the source width.
  zeroExtend:   pure((_, a) => a, emitZeroExtend),
  signExtend:   pure((n, a) => wrap(n.width, signed(int(n, 0), a)), emitSignExtend),
  extract:      pure((n, a) => wrap(n.width, a >> BigInt(int(n, 0))), emitExtract),
  concatenate:  pure((n, a, b) => (a << BigInt(n.width / 2)) | b, emitConcatenate), // high, low
  // Comparisons give one bit; the immediate is the width compared.
  equal:        pure((_, a, b) => bit(a === b), emitEqual),
  lessUnsigned: pure((_, a, b) => bit(a < b), emitLess(false)),
  lessSigned:   pure((n, a, b) => bit(signed(int(n, 0), a) < signed(int(n, 0), b)), emitLess(true)),
  select:       pure((_, a, b, c) => (a === 0n ? c : b), emitSelect),             // condition, if 1, if 0
  // Flags; the immediate is the width of the operation.
  flagsOfAdd:   pure((n, a, b, c) => flagsOfAdd(int(n, 0), a, b, c), emitFlagsOfAdd),
  flagsOfSub:   pure((n, a, b) => flagsOfAdd(int(n, 0), a, b ^ mask(int(n, 0)), 1n), emitFlagsOfSub),
  flagsOfLogic: pure((n, a) => nzcv(int(n, 0), a, false, false), emitFlagsOfLogic),
  condition:    pure((n, a) => bit(conditionHolds(int(n, 0), Number(a))), emitCondition(conditionHolds)), // condition number; flags
  // State.
  readX:        pure((n, _a, _b, _c, x) => x.slots[int(n, 0)] as bigint),
  writeX:       effect((n, a, _b, _c, x) => (x.slots[int(n, 0)] = a)),
  readV:        pure((n, _a, _b, _c, x) => wrap(n.width, ((x.v[int(n, 0) * 2 + 1] as bigint) << 64n) | (x.v[int(n, 0) * 2] as bigint))),
  writeV:       effect((n, a, _b, _c, x) => { x.v[int(n, 0) * 2] = wrap(64, a); x.v[int(n, 0) * 2 + 1] = a >> 64n; return 0n; }),
  readNzcv:     pure((_n, _a, _b, _c, x) => x.slots[35] as bigint),
  writeNzcv:    effect((_n, a, _b, _c, x) => (x.slots[35] = a)),
  pc:           pure((_n, _a, _b, _c, x) => x.slots[34] as bigint),
  // Memory; immediates: bytes, access.
  load:           faulting((n, a, _b, _c, x) => x.load(a, int(n, 0), n.immediates[1] as Access)),
  store:          faulting((n, a, b, _c, x) => { x.store(a, int(n, 0), b, n.immediates[1] as Access); return 0n; }),
  loadExclusive:  faulting((n, a, _b, _c, x) => x.loadExclusive(a, int(n, 0), n.immediates[1] as Access)),
  storeExclusive: faulting((n, a, b, _c, x) => x.storeExclusive(a, int(n, 0), b, n.immediates[1] as Access)),
  // Control; a branch's immediate is its kind: jump, call, return.
  branch:       effect((_n, a, _b, _c, x) => (x.nextPc = a)),
  branchIf:     effect((_n, a, b, _c, x) => (a === 0n ? 0n : (x.nextPc = b))),
  // BTYPE after a branch to a register (FEAT_BTI), 0 after all else; immediates: in a guarded page, elsewhere.
  writeBranchType: effect((n, _a, _b, _c, x) => { x.setBranchType(int(n, 0), int(n, 1)); return 0n; }),
  // Helper; immediates: name, then the helper's own.
  helper:       effect((n, a, b, _c, x) => x.helper(n.immediates[0] as HelperName, n.immediates, a, b)),
} as const satisfies Record<string, OperationRow>;

/** Name of an operation. */
export type OperationName = keyof typeof OPERATIONS;

/** True when the node can raise an exception. */
export function canFault(node: IrNode): boolean {
  if (node.op === "helper") return HELPERS[node.immediates[0] as HelperName].faults;
  return OPERATIONS[node.op].faults;
}
