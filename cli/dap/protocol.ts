/** The requests of the Debug Adapter Protocol that are understood, and the arguments that each takes. */
import { z } from "zod";

/** The most breakpoints of one kind. */
const MOST_POINTS = 4096;
/** The most bytes of a `readMemory` and instructions of a `disassemble`. */
const MOST_BYTES = 1 << 20, MOST_INSTRUCTIONS = 10_000;

const integer = z.number().int().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const natural = integer.min(0);
const word = z.string().max(65_536);

/** A request as it comes; `arguments` are looked at by the request's own schema. */
export const requestSchema = z.object({
  type: z.literal("request"),
  seq: integer,
  command: z.string().max(256),
  arguments: z.unknown().optional(),
});

/** A request. */
export type Request = z.infer<typeof requestSchema>;

const source = z.object({
  name: word.optional(),
  path: word.optional(),
  sourceReference: integer.optional(),
});
const condition = { condition: word.optional(), hitCondition: word.optional() };
const onThread = z.object({ threadId: integer });
const launch = z.object({
  run: word,
  symbols: z.union([word, z.array(word).max(64)]).optional(),
  images: z.union([word, z.array(word).max(64)]).optional(),
  stopAt: z.union([natural, word]).optional(),
});
const nothing = z.unknown().optional();

/** Arguments by request. */
// deno-fmt-ignore
export const ARGUMENTS = {
  initialize: z.object({
    clientName: word.optional(),
    linesStartAt1: z.boolean().optional(),
    supportsProgressReporting: z.boolean().optional(),
    supportsMemoryReferences: z.boolean().optional(),
  }),
  launch,
  attach: launch,
  configurationDone: nothing,
  threads: nothing,
  disconnect: nothing,
  terminate: nothing,
  stackTrace: onThread.extend({ startFrame: natural.optional(), levels: natural.optional() }),
  scopes: z.object({ frameId: integer }),
  variables: z.object({ variablesReference: integer, start: natural.optional(), count: natural.optional() }),
  setVariable: nothing,
  setExpression: nothing,
  writeMemory: nothing,
  readMemory: z.object({ memoryReference: word, offset: integer.optional(), count: natural.max(MOST_BYTES) }),
  disassemble: z.object({
    memoryReference: word,
    offset: integer.optional(),
    instructionOffset: integer.optional(),
    instructionCount: natural.max(MOST_INSTRUCTIONS),
    resolveSymbols: z.boolean().optional(),
  }),
  source: z.object({ source: source.optional(), sourceReference: integer }),
  setBreakpoints: z.object({
    source,
    breakpoints: z.array(z.object({ line: integer, ...condition })).max(MOST_POINTS).optional(),
  }),
  setFunctionBreakpoints: z.object({
    breakpoints: z.array(z.object({ name: word, ...condition })).max(MOST_POINTS),
  }),
  setInstructionBreakpoints: z.object({
    breakpoints: z.array(z.object({ instructionReference: word, offset: integer.optional(), ...condition })).max(MOST_POINTS),
  }),
  dataBreakpointInfo: z.object({
    name: word,
    variablesReference: integer.optional(),
    asAddress: z.boolean().optional(),
    bytes: natural.optional(),
  }),
  setDataBreakpoints: z.object({
    breakpoints: z.array(z.object({
      dataId: word,
      accessType: z.enum(["read", "write", "readWrite"]).optional(),
      ...condition,
    })).max(MOST_POINTS),
  }),
  setExceptionBreakpoints: z.object({ filters: z.array(word).max(64) }),
  continue: onThread,
  reverseContinue: onThread,
  next: onThread,
  stepIn: onThread,
  stepOut: onThread,
  stepBack: onThread,
  pause: z.object({ threadId: integer.optional() }),
  cancel: z.object({ requestId: integer.optional(), progressId: word.optional() }),
  gotoTargets: z.object({ source: source.optional(), line: integer.optional(), instant: natural.optional() }),
  goto: z.object({ threadId: integer.optional(), targetId: integer }),
  evaluate: z.object({ expression: word, frameId: integer.optional(), context: word.optional() }),
  "hindsight/seek": z.object({ instant: natural }),
  "hindsight/where": nothing,
} satisfies Readonly<Record<string, z.ZodType>>;

/** The name of a request. */
export type Command = keyof typeof ARGUMENTS;

/** A request's arguments. */
export type Arguments<C extends Command> = z.infer<(typeof ARGUMENTS)[C]>;

/** What stops a run by an exception: a filter of `setExceptionBreakpoints`. */
export interface ExceptionFilter {
  /** Its name in requests. */
  readonly filter: string;
  /** Its name for people. */
  readonly label: string;
  /** ESR_ELx.EC of synchronous exceptions. */
  readonly classes?: readonly number[];
  /** Exceptions of another kind than synchronous ones. */
  readonly kinds?: readonly string[];
}

/** The filters (Arm ARM D13.2.37, ESR_ELx.EC). */
// deno-fmt-ignore
export const EXCEPTION_FILTERS: readonly ExceptionFilter[] = [
  { filter: "undefined",        label: "Undefined instructions",       classes: [0x00, 0x0e] },
  { filter: "dataAbort",        label: "Data aborts",                  classes: [0x24, 0x25] },
  { filter: "dataAbortSame",    label: "Data aborts of the same level", classes: [0x25] },
  { filter: "instructionAbort", label: "Instruction aborts",           classes: [0x20, 0x21] },
  { filter: "alignment",        label: "PC and SP alignment",          classes: [0x22, 0x26] },
  { filter: "branchTarget",     label: "Branch targets, pointer authentication", classes: [0x0d, 0x1c] },
  { filter: "breakpoint",       label: "BRK instructions",             classes: [0x3c] },
  { filter: "supervisorCall",   label: "SVC",                          classes: [0x15] },
  { filter: "hypervisorCall",   label: "HVC and SMC",                  classes: [0x16, 0x17] },
  { filter: "interrupt",        label: "IRQ and FIQ",                  kinds: ["irq", "fiq"] },
  { filter: "serror",           label: "SError",                       kinds: ["serror"] },
];
