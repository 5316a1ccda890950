/**
 * Finds accesses of a block that lie so near each other that one look at the page does for all: those whose addresses
 * differ by constants from one value, found by following registers through moves and additions of constants.
 */
import type { IrNode } from "../ir/operations.ts";
import type { PageInstruction } from "./compiled_blocks.ts";
import { isQuickAccess } from "./compiled_instructions.ts";
import type { Operands, Shape } from "./shape.ts";

/** Bytes that a group spans at most; the more, the more often it crosses into another page and has to do without. */
const LARGEST_SPAN = 256;

/** Accesses to one run of bytes, for reading or for writing. */
export interface Group {
  /** `read` or `write`. */
  readonly kind: "read" | "write";
  /** Bytes from the value that all addresses are of to the group's start. */
  lowest: number;
  /** Bytes from there to the end of the highest. */
  span: number;
}

/** An access of a group: its distance from the group's start is `offset` − `group.lowest`. */
export interface Member {
  readonly group: Group;
  readonly offset: number;
}

/** An unknown value plus a constant. */
interface Sum {
  readonly root: number;
  readonly distance: number;
}

interface Found extends Sum {
  readonly kind: "read" | "write";
  readonly size: number;
  readonly key: number;
}

/** Number of a node of a word. */
export function memberKey(word: number, index: number): number {
  return word << 8 | index;
}

/** Follows the values of registers through a block. */
class Values {
  readonly #registers = new Map<number, Sum>();
  #roots = 0;

  /** What an instruction's node is, if it is a register plus a constant. */
  sumOf(nodes: readonly IrNode[], index: number, operands: Operands): Sum | undefined {
    const { op, width, args, immediates } = nodes[index] as IrNode;
    if (op === "readX") return this.#read(operands.registers[immediates[0] as number] as number);
    if ((op !== "add" && op !== "sub") || width !== 64) return undefined;
    const distance = constantOf(nodes[args[1] as number] as IrNode, operands);
    if (distance === undefined) return undefined;
    const sum = this.sumOf(nodes, args[0] as number, operands);
    return sum && { root: sum.root, distance: sum.distance + (op === "add" ? distance : -distance) };
  }

  #read(offset: number): Sum {
    let sum = this.#registers.get(offset);
    if (sum === undefined) this.#registers.set(offset, sum = { root: this.#roots++, distance: 0 });
    return sum;
  }

  /** A register is written. */
  write(offset: number, sum: Sum | undefined): void {
    this.#registers.set(offset, sum ?? { root: this.#roots++, distance: 0 });
  }
}

function constantOf({ op, immediates: [place] }: IrNode, { wide, narrow }: Operands): number | undefined {
  if (op !== "constant") return undefined;
  const value = BigInt.asIntN(
    64,
    typeof place === "bigint" ? place : place === "narrow" ? BigInt(narrow) : wide[place === "wide0" ? 0 : 1],
  );
  return value > -65536n && value < 65536n ? Number(value) : undefined;
}

/** What matters of the operations of a shape: its writes of X registers, and its accesses that may be in groups. */
interface ShapeFacts {
  readonly writes: readonly IrNode[];
  readonly accesses: readonly { readonly node: IrNode; readonly index: number }[];
}

/** By a shape's operations. */
const known = new WeakMap<readonly IrNode[], ShapeFacts>();

function factsOf({ nodes }: Shape): ShapeFacts {
  let facts = known.get(nodes);
  if (facts === undefined) {
    const accesses = nodes.map((node, index) => ({ node, index })).filter(({ node }) =>
      isQuickAccess(node) && node.immediates[1] !== "ordered" && node.immediates[1] !== "unprivileged"
    );
    known.set(nodes, facts = { writes: nodes.filter(({ op }) => op === "writeX"), accesses });
  }
  return facts;
}

/** Accesses of one instruction, in order; registers are followed. */
function accessesOf(
  word: number,
  { shape, operands, asksDevice }: PageInstruction,
  values: Values,
  found: Found[],
): void {
  const { nodes } = shape, { writes, accesses } = factsOf(shape);
  for (const { node, index } of asksDevice ? [] : accesses) {
    const sum = values.sumOf(nodes, node.args[0] as number, operands);
    const size = node.immediates[0] as number, kind = node.op === "load" ? "read" : "write";
    if (sum !== undefined) found.push({ ...sum, kind, size, key: memberKey(word, index) });
  }
  if (writes.length === 0) return;
  const sums = writes.map(({ args }) => values.sumOf(nodes, args[0] as number, operands));
  for (const [index, { immediates }] of writes.entries()) {
    values.write(operands.registers[immediates[0] as number] as number, sums[index]);
  }
}

const NO_MEMBERS: ReadonlyMap<number, Member> = new Map();

/** The groups of a block, by `memberKey`; accesses that are alone are not in it. */
export function findGroups(
  instructions: readonly (PageInstruction | undefined)[],
  first: number,
  end: number,
): ReadonlyMap<number, Member> {
  let accesses = 0;
  for (let word = first; word < end; word++) {
    const { shape, asksDevice } = instructions[word] as PageInstruction;
    if (!asksDevice) accesses += factsOf(shape).accesses.length;
  }
  if (accesses < 2) return NO_MEMBERS;
  const values = new Values(), found: Found[] = [];
  for (let word = first; word < end; word++) {
    accessesOf(word, instructions[word] as PageInstruction, values, found);
  }
  if (found.length < 2) return NO_MEMBERS;
  const members = new Map<number, Member>();
  const open = new Map<string, { group: Group; list: Found[] }>();
  for (const access of found) {
    const key = `${access.kind}${access.root}`, known = open.get(key);
    if (known !== undefined && extend(known.group, access)) known.list.push(access);
    else {open.set(known === undefined ? key : `${key}+${access.key}`, {
        group: alone(access),
        list: [access],
      });}
  }
  for (const { group, list } of open.values()) {
    if (list.length < 2) continue;
    for (const { key, distance } of list) members.set(key, { group, offset: distance });
  }
  return members;
}

function alone({ kind, distance, size }: Found): Group {
  return { kind, lowest: distance, span: size };
}

/** Takes an access into a group if that does not make it too wide. */
function extend(group: Group, { distance, size }: Found): boolean {
  const lowest = Math.min(group.lowest, distance);
  const end = Math.max(group.lowest + group.span, distance + size);
  if (end - lowest > LARGEST_SPAN) return false;
  group.lowest = lowest;
  group.span = end - lowest;
  return true;
}
