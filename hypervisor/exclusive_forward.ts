/**
 * Carries a guest's instructions out from behind a trap up to a store-exclusive, and that too: the return would clear the monitor.
 *
 * An exception does not change the local monitor, the return does (Arm ARM B2.9.2). So software at a higher level that
 * carries out the store-exclusive itself, to the same physical address, gives the guest the status that it would have had.
 * Nothing is known of whether the monitor is open: the store tells, as it would have told the guest.
 */
import type { AnyFields } from "../machine/a64/pattern.ts";
import { decode, lowerOn } from "../machine/a64/rows.ts";
import { SLOT_TRASH, SLOT_ZERO } from "../machine/cpu/registers.ts";
import type { IrNode } from "../machine/ir/operation.ts";
import { OPERATIONS } from "../machine/ir/operations.ts";
import { readGuest, translateGuest } from "./guest_memory.ts";
import type { Vcpu } from "./vcpu.ts";

/** Most instructions between the trap and the store. */
const MOST = 16;

/** Rows of single store-exclusives, and the bytes that they store. */
const STORES: ReadonlyMap<string, 1 | 2 | 4 | 8> = new Map(
  (["B", "H", "_W", "_X"] as const).flatMap((suffix, index) =>
    ["STXR", "STLXR"].map((name) => [`${name}${suffix}`, 1 << index as 1 | 2 | 4 | 8] as const)
  ),
);

/** Operations that touch nothing but general registers and constants. */
const COMPUTES: ReadonlySet<string> = new Set([
  ...[
    "constant",
    "add",
    "addCarry",
    "sub",
    "mul",
    "mulHighSigned",
    "mulHighUnsigned",
    "divUnsigned",
    "divSigned",
  ],
  ...[
    "and",
    "or",
    "xor",
    "not",
    "shiftLeft",
    "shiftRight",
    "shiftRightSigned",
    "rotateRight",
    "leadingZeros",
  ],
  ...[
    "leadingSigns",
    "reverseBits",
    "reverseBytes",
    "zeroExtend",
    "signExtend",
    "extract",
    "concatenate",
    "equal",
  ],
  ...["lessUnsigned", "lessSigned", "select", "readX", "writeX"],
]);

/** A store-exclusive ahead. */
interface Store {
  readonly size: 1 | 2 | 4 | 8;
  readonly fields: AnyFields;
}

/** What lies ahead of a trap. */
interface Ahead {
  /** Instructions to carry out, in order. */
  readonly before: readonly (readonly IrNode[])[];
  readonly store: Store;
}

const slotOf = ({ immediates }: IrNode): number => immediates[0] as number;

/** Whether an instruction only computes with X0 to X30: the stack pointer and the flags are banked. */
function onlyComputes(nodes: readonly IrNode[]): boolean {
  return nodes.every((node) =>
    COMPUTES.has(node.op) &&
    (!["readX", "writeX"].includes(node.op) || slotOf(node) <= SLOT_TRASH)
  );
}

/** The instructions ahead up to a store-exclusive; undefined where there is none that can be reached. */
function lookAhead(vcpu: Vcpu): Ahead | undefined {
  const { cpu } = vcpu, stage = stageOf(vcpu);
  const before: (readonly IrNode[])[] = [];
  for (let at = 0; at < MOST; at++) {
    const bytes = readGuest(cpu, stage, vcpu.returnAddress + BigInt(4 * at), 4);
    if (!(bytes instanceof Uint8Array)) return undefined;
    const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), decoded = decode(word);
    if (decoded === undefined) return undefined;
    const size = STORES.get(decoded.row.name), fields = decoded.fields as Record<string, number>;
    // The stack pointer is banked.
    if (size !== undefined) {
      return fields["Rn"] === SLOT_ZERO ? undefined : { before, store: { size, fields } };
    }
    const nodes = lowerOn(cpu.features.model, decoded);
    if (nodes === undefined || !onlyComputes(nodes)) return undefined;
    before.push(nodes);
  }
  return undefined;
}

const stageOf = ({ level }: Vcpu): "s12e0" | "s12e1" => level === 0 ? "s12e0" : "s12e1";

/** Carries out an instruction that only computes. */
function compute(vcpu: Vcpu, nodes: readonly IrNode[]): void {
  const values: bigint[] = [];
  const valueOf = (index: number | undefined): bigint => index === undefined ? 0n : values[index] as bigint;
  for (const node of nodes) {
    const [a, b, c] = [valueOf(node.args[0]), valueOf(node.args[1]), valueOf(node.args[2])];
    if (node.op === "readX") values.push(vcpu.x(slotOf(node)));
    else if (node.op === "writeX") {
      if (slotOf(node) < SLOT_ZERO) vcpu.setX(slotOf(node), a);
      values.push(a);
    } else values.push(OPERATIONS[node.op].evaluate(node, a, b, c, vcpu.cpu));
  }
}

/** A store-exclusive that was carried out for a guest. */
export interface CompletedStore {
  /** Physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** What the guest got: 0 when it stored. */
  readonly status: number;
  /** Instructions that were carried out, the store included. */
  readonly instructions: number;
}

/**
 * Goes on behind a trap up to a store-exclusive, if nothing but computing lies between. Gives what came of the store;
 * undefined where there is none, with nothing changed, and where it would fault, which is left to the guest.
 */
export function completeExclusive(vcpu: Vcpu): CompletedStore | undefined {
  const { cpu } = vcpu;
  const ahead = lookAhead(vcpu);
  if (ahead === undefined) return undefined;
  const { before, store: { size, fields } } = ahead;
  for (const nodes of before) {
    compute(vcpu, nodes);
    vcpu.skip();
  }
  const { Rs = SLOT_ZERO, Rn = SLOT_ZERO, Rt = SLOT_ZERO } = fields as Record<string, number>;
  const address = vcpu.x(Rn);
  // Where it would fault it is left to the guest, as far as that has come: an alignment fault does not ask the monitor.
  if (address % BigInt(size) !== 0n) return undefined;
  const place = translateGuest(cpu, stageOf(vcpu), address, true);
  if (place.faulted) return undefined;
  const value = BigInt.asUintN(8 * size, vcpu.x(Rt));
  const status = Number(cpu.storeExclusive(BigInt(place.address), size, value, "exclusive"));
  vcpu.setX(Rs, BigInt(status));
  vcpu.skip();
  return { address: place.address, size, status, instructions: before.length + 1 };
}
