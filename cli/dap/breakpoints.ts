/** The requests that set breakpoints: each replaces all of its kind. */
import { hex } from "../../machine/address.ts";
import type { WatchPoint } from "../../machine/watch.ts";
import { UsageError } from "../errors.ts";
import { failureOf } from "../failure.ts";
import { suggestion } from "../suggest.ts";
import { addressOf, evaluate, registerNamed } from "./evaluate.ts";
import { sourceOf } from "./listing.ts";
import type { Point, PointKind } from "./points.ts";
import type { Arguments } from "./protocol.ts";
import type { DapSession } from "./session.ts";

/** Bytes watched where nothing says how many, and the most. */
const USUAL_SIZE = 8, LONGEST = 1 << 16;
/** The most bytes of a symbol that are watched where the client does not say how many. */
const LARGEST_VARIABLE = 64n;

/** What a client may add to any breakpoint. */
interface Conditions {
  readonly condition?: string | undefined;
  readonly hitCondition?: string | undefined;
}

/** A breakpoint that is wanted: where it is, or why it cannot be. */
type Wanted = Conditions & { readonly find: () => { readonly watch: WatchPoint; readonly label: string } };

/** Whether the n-th hit counts: `5` is the fifth and all later ones, `%5` every fifth, `==5` that alone. */
function hitCounter(text: string): (hits: number) => boolean {
  const [, sign = ">=", digits] = /^\s*(>=|>|==?|%)?\s*([0-9]{1,9})\s*$/.exec(text) ?? [];
  const count = Number(digits);
  if (digits === undefined || count < 1) {
    throw new UsageError(`"${text}" is no count: write 5, ==5, >5 or %5`);
  }
  if (sign === "%") return (hits) => hits % count === 0;
  if (sign === ">") return (hits) => hits > count;
  return sign === ">=" ? (hits) => hits >= count : (hits) => hits === count;
}

/** Whether a hit counts; a condition that cannot be computed when it is hit counts. */
function countsBy(session: DapSession, { condition, hitCondition }: Conditions): () => boolean {
  const isDue = hitCondition === undefined || hitCondition === "" ? undefined : hitCounter(hitCondition);
  const holds = (): unknown => {
    const { subject } = session;
    return evaluate({ ...subject, cpu: subject.machine.currentCpu }, condition as string);
  };
  if (condition !== undefined && condition !== "" && typeof holds() !== "boolean") {
    throw new UsageError(`"${condition}" is neither true nor false`);
  }
  let hits = 0;
  return () => {
    if (condition !== undefined && condition !== "") {
      try {
        if (holds() !== true) return false;
      } catch (error) {
        session.print(`${condition}: ${failureOf(error).message}\n`, "stderr");
      }
    }
    return isDue === undefined || isDue(++hits);
  };
}

/** Sets all breakpoints of a kind, and says of each whether it stands. */
function replace(session: DapSession, kind: PointKind, wanted: readonly Wanted[]): object {
  const { points, listings } = session.debuggee, set: Point[] = [];
  const breakpoints = wanted.map((one) => {
    const id = points.takeId();
    try {
      const { watch, label } = one.find(), counts = countsBy(session, one);
      set.push({ id, watch, label, counts });
      if (watch.kind !== "execute") return { id, verified: true, message: label };
      const listing = listings.of(watch.address);
      const line = Number((watch.address - listing.start) / 4n) + session.linesStartAt;
      return {
        id,
        verified: true,
        instructionReference: hex(watch.address),
        source: sourceOf(listing),
        line,
      };
    } catch (error) {
      return { id, verified: false, message: failureOf(error).message };
    }
  });
  points.replace(kind, set);
  return { breakpoints };
}

/** The watch point of an instruction. Throws UsageError where none can be. */
export function execute(address: bigint): WatchPoint & { readonly kind: "execute" } {
  if ((address & 3n) !== 0n) {
    throw new UsageError(`There is no instruction at ${hex(address)}: no multiple of 4`);
  }
  return { kind: "execute", address };
}

/** `setFunctionBreakpoints`: names, or addresses. */
export function setFunctionBreakpoints(
  session: DapSession,
  { breakpoints }: Arguments<"setFunctionBreakpoints">,
): object {
  const { symbols } = session.debuggee;
  return replace(
    session,
    "function",
    breakpoints.map(({ name, ...conditions }) => ({
      ...conditions,
      find: () => {
        const [address] = symbols.addressesOf(name);
        if (address !== undefined) return { watch: execute(address), label: name };
        if (/^0x[0-9a-f]{1,16}$/i.test(name)) {
          return { watch: execute(BigInt(name)), label: hex(BigInt(name)) };
        }
        const hint = symbols.isEmpty
          ? ": there are no symbols, launch with `symbols`"
          : suggestion(name, [...symbols.names()]);
        throw new UsageError(`There is no symbol "${name}"${hint}`);
      },
    })),
  );
}

/** `setInstructionBreakpoints`: addresses. */
export function setInstructionBreakpoints(
  session: DapSession,
  { breakpoints }: Arguments<"setInstructionBreakpoints">,
): object {
  return replace(
    session,
    "instruction",
    breakpoints.map(({ instructionReference, offset = 0, ...conditions }) => ({
      ...conditions,
      find: () => {
        const address = BigInt.asUintN(64, addressOf(session.subject, instructionReference) + BigInt(offset));
        return { watch: execute(address), label: hex(address) };
      },
    })),
  );
}

/** `setBreakpoints`: lines of a listing. */
export function setBreakpoints(session: DapSession, args: Arguments<"setBreakpoints">): object {
  const { listings } = session.debuggee, reference = args.source.sourceReference ?? 0;
  const listing = listings.numbered(reference);
  return replace(
    session,
    `source ${reference}`,
    (args.breakpoints ?? []).map(({ line, ...conditions }) => ({
      ...conditions,
      find: () => {
        const name = args.source.path ?? args.source.name ?? "this source";
        if (listing === undefined) {
          throw new UsageError(
            `Nothing is known of "${name}": set breakpoints in the disassembly, or on functions`,
          );
        }
        const index = line - session.linesStartAt;
        if (index < 0 || index >= listing.count) throw new UsageError(`${listing.name} has no line ${line}`);
        const address = listing.start + 4n * BigInt(index);
        return { watch: execute(address), label: listing.name };
      },
    })),
  );
}

/** Bytes that may be watched: where, how many, and how they are called. */
interface Data {
  readonly space: "virtual" | "physical";
  readonly address: bigint;
  readonly size: number;
  readonly label: string;
}

/** `name`, `0x1234`, `phys:0x1234`, each perhaps with `,SIZE`; in a scope a register, which is where the bytes are. */
function dataOf(
  session: DapSession,
  { name, variablesReference = 0, bytes }: Arguments<"dataBreakpointInfo">,
): Data {
  const { symbols } = session.debuggee;
  const [, prefix, what = "", digits] = /^(phys:)?(.*?)(?:, *([0-9]{1,5}))?$/s.exec(name.trim()) ?? [];
  const space = prefix === undefined ? "virtual" : "physical";
  const given = digits === undefined ? bytes : Number(digits);
  const isRegister = variablesReference !== 0 || registerNamed(session.cpu, what) !== undefined;
  const address = addressOf(session.subject, what);
  const isSymbol = !isRegister && symbols.addressesOf(what).includes(address);
  const own = isSymbol ? symbols.sizeAt(address) : 0n;
  const size = given ?? (own > 0n && own <= LARGEST_VARIABLE ? Number(own) : USUAL_SIZE);
  if (size < 1 || size > LONGEST) {
    throw new UsageError(`${size} bytes cannot be watched: 1 to ${LONGEST} can`);
  }
  if (address < 0x1000n && isRegister) throw new UsageError(`${what} is ${address}, which is no address`);
  const at = isRegister ? ` where ${what} points` : isSymbol ? ` of ${what}` : "";
  return {
    space,
    address,
    size,
    label: `${size} bytes${at} at ${space === "physical" ? "physical " : ""}${hex(address)}`,
  };
}

/** `dataBreakpointInfo`: which bytes a name stands for. */
export function dataBreakpointInfo(session: DapSession, args: Arguments<"dataBreakpointInfo">): object {
  try {
    const { space, address, size, label } = dataOf(session, args);
    return {
      dataId: `${space}:${hex(address)}:${size}`,
      description: label,
      accessTypes: ["read", "write", "readWrite"],
      canPersist: true,
    };
  } catch (error) {
    return { dataId: null, description: failureOf(error).message };
  }
}

/** `setDataBreakpoints`. */
export function setDataBreakpoints(
  session: DapSession,
  { breakpoints }: Arguments<"setDataBreakpoints">,
): object {
  return replace(
    session,
    "data",
    breakpoints.map(({ dataId, accessType = "write", ...conditions }) => ({
      ...conditions,
      find: () => {
        const [, space, digits, size] =
          /^(virtual|physical):(0x[0-9a-f]{1,16}):([0-9]{1,5})$/i.exec(dataId) ?? [];
        const address = digits === undefined ? 0n : BigInt(digits), count = Number(size);
        const limit = 2n ** (space === "physical" ? 52n : 64n);
        if (space === undefined || count < 1 || count > LONGEST || address + BigInt(count) > limit) {
          throw new UsageError(`"${dataId}" names no bytes: use what dataBreakpointInfo gives`);
        }
        const kind = accessType === "readWrite" ? "access" : accessType;
        const watch = { kind, address, size: count, space: space as "virtual" | "physical" } as const;
        return {
          watch,
          label: `${count} bytes at ${hex(address)}${session.debuggee.symbols.label(address)}`,
        };
      },
    })),
  );
}
