/** What each effect of an instruction is computed from, read off its lowering. */
import { decode, lowerOn } from "../machine/a64/rows.ts";
import type { CpuModel } from "../machine/a64/feature.ts";
import { systemInstructionName, systemRegisterName } from "../machine/a64/system_names.ts";
import { SLOT_TRASH, SLOT_ZERO } from "../machine/cpu/registers.ts";
import type { IrNode } from "../machine/ir/operations.ts";

/** Registers in the numbering of a step's effects (machine/events.ts): 0–30 X, 33 SP, 64 NZCV, 128+n and 160+n V. */
export const NZCV = 64;
/** Number of the lower half of V0. */
export const V_LOW = 128;
/** Number of the upper half of V0. */
export const V_HIGH = 160;

/** What a value is computed from. */
export interface Sources {
  /** Registers read, by number. */
  readonly registers: readonly number[];
  /** Memory read: positions among the accesses of the instruction. */
  readonly loads: readonly number[];
  /** System registers read, by name. */
  readonly system: readonly string[];
}

/** One thing that an instruction writes. */
export interface Output {
  /** A register by its number, an access by its position, a system register by its name, or where to go on. */
  readonly target:
    | { readonly kind: "register"; readonly number: number }
    | { readonly kind: "memory"; readonly access: number }
    | { readonly kind: "system"; readonly name: string }
    | { readonly kind: "control" };
  /** What its value is computed from. */
  readonly value: Sources;
}

/** What flows where in an instruction. */
export interface InstructionFlow {
  /** In the order in which they are written. */
  readonly outputs: readonly Output[];
  /** What the address of each access is computed from, in order. */
  readonly addresses: readonly Sources[];
  /** It branches on a condition, or to an address that is computed: what comes after it depends on that. */
  readonly decides: boolean;
}

const NOTHING: InstructionFlow = { outputs: [], addresses: [], decides: false };

/** Operations that access memory; `zeroBlock`, a helper, writes 64 bytes. */
const ACCESSES: ReadonlySet<string> = new Set(["load", "loadExclusive", "store", "storeExclusive"]);

function isAccess({ op, immediates }: IrNode): boolean {
  return ACCESSES.has(op) || (op === "helper" && immediates[0] === "zeroBlock");
}

/** Registers that system registers are, which software reaches by both names. */
const SAME: Readonly<Record<string, number>> = { NZCV };

/** Reads the flow off the nodes of one instruction. */
class FlowReader {
  readonly #positions = new Map<number, number>();

  constructor(private readonly nodes: readonly IrNode[]) {
    for (const [index, node] of nodes.entries()) {
      if (isAccess(node)) this.#positions.set(index, this.#positions.size);
    }
  }

  /** What nodes are computed from. */
  #sources(...roots: readonly (number | undefined)[]): Sources {
    const registers = new Set<number>(), loads = new Set<number>(), system = new Set<string>();
    const seen = new Set<number>(), waiting = roots.filter((root) => root !== undefined);
    for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      const node = this.nodes[index] as IrNode, { op, immediates, width } = node;
      const number = immediates[0] as number;
      // What is loaded does not come from its address; see `addresses`.
      if (op === "load" || op === "loadExclusive") {
        loads.add(this.#positions.get(index) as number);
        continue;
      }
      if (op === "storeExclusive") continue;
      waiting.push(...node.args);
      if (op === "readX" && number !== SLOT_ZERO) registers.add(number);
      else if (op === "readNzcv") registers.add(NZCV);
      else if (op === "readV") {
        registers.add(V_LOW + number);
        if (width === 128) registers.add(V_HIGH + number);
      } else if (op === "helper") this.#addHelper(immediates, registers, system);
    }
    return { registers: [...registers], loads: [...loads], system: [...system] };
  }

  #addHelper(immediates: IrNode["immediates"], registers: Set<number>, system: Set<string>): void {
    const [helper, encoding] = immediates as [string, number];
    if (helper !== "readSystemRegister") return;
    const name = systemRegisterName(encoding, "read");
    if (name in SAME) registers.add(SAME[name] as number);
    else system.add(name);
  }

  read(): InstructionFlow {
    const outputs: Output[] = [], addresses: Sources[] = [];
    let decides = false;
    for (const [index, node] of this.nodes.entries()) {
      const { op, args: [first, second], immediates } = node, number = immediates[0] as number;
      const register = (to: number, value: Sources) =>
        outputs.push({ target: { kind: "register", number: to }, value });
      if (isAccess(node)) addresses.push(this.#sources(first));
      switch (op) {
        case "writeX":
          if (number !== SLOT_TRASH) register(number, this.#sources(first));
          break;
        case "writeNzcv":
          register(NZCV, this.#sources(first));
          break;
        case "writeV": {
          const value = this.#sources(first);
          register(V_LOW + number, value);
          register(V_HIGH + number, value);
          break;
        }
        case "store":
        case "storeExclusive":
          outputs.push({
            target: { kind: "memory", access: this.#positions.get(index) as number },
            value: this.#sources(second),
          });
          break;
        case "branch":
        case "branchIf": {
          const value = this.#sources(...node.args);
          outputs.push({ target: { kind: "control" }, value });
          decides ||= op === "branchIf" || value.registers.length > 0;
          break;
        }
        case "helper":
          outputs.push(...this.#helperOutputs(index, node));
          break;
      }
    }
    return { outputs, addresses, decides };
  }

  #helperOutputs(index: number, { args: [first], immediates }: IrNode): Output[] {
    const [helper, encoding] = immediates as [string, number];
    if (helper === "zeroBlock") {
      const access = this.#positions.get(index) as number;
      return [{ target: { kind: "memory", access }, value: this.#sources() }];
    }
    if (helper === "systemInstruction" && systemInstructionName(encoding)?.startsWith("at ") === true) {
      return [{ target: { kind: "system", name: "PAR_EL1" }, value: this.#sources(first) }];
    }
    if (helper !== "writeSystemRegister") return [];
    const name = systemRegisterName(encoding, "write"), value = this.#sources(first);
    return [{
      target: name in SAME ? { kind: "register", number: SAME[name] as number } : { kind: "system", name },
      value,
    }];
  }
}

/** The flows of words on a model, worked out once each. */
export class InstructionFlows {
  readonly #known = new Map<number, InstructionFlow>();

  /** Rows differ by model. */
  constructor(private readonly model: CpuModel) {}

  /** The flow of a word; nothing flows in one that is UNDEFINED. */
  of(word: number): InstructionFlow {
    let flow = this.#known.get(word);
    if (flow === undefined) {
      const decoded = decode(word);
      const nodes = decoded === undefined ? undefined : lowerOn(this.model, decoded);
      flow = nodes === undefined ? NOTHING : new FlowReader(nodes).read();
      this.#known.set(word, flow);
    }
    return flow;
  }
}
