/** What is done for each request: a table from its name to its handler. */
import { hex } from "../../machine/address.ts";
import { peekMemory } from "../../machine/debugger_memory.ts";
import { powerText } from "../cpu_view.ts";
import { UsageError } from "../errors.ts";
import { grouped } from "../text.ts";
import {
  dataBreakpointInfo,
  execute,
  setBreakpoints,
  setDataBreakpoints,
  setFunctionBreakpoints,
  setInstructionBreakpoints,
} from "./breakpoints.ts";
import { consoleCommand } from "./console.ts";
import { addressOf, evaluate as valueOf, valueText } from "./evaluate.ts";
import { type Frame, framesOf, MOST_FRAMES } from "./frames.ts";
import { instructionsAt, placeOf, sourceOf } from "./listing.ts";
import { type Arguments, type Command, EXCEPTION_FILTERS } from "./protocol.ts";
import type { DapSession } from "./session.ts";
import { callerScopes, scopesOf, variablesOf } from "./variables.ts";

type Handler<C extends Command> = (session: DapSession, args: Arguments<C>) => object | undefined;

const EDITING = "Editing history is refused on a recorded run: fork it at this instant, " +
  "`hindsight fork RUN --at N` with the edit, and debug the fork";

/** The past is not to be written. */
function refuseEditing(): never {
  throw new UsageError(EDITING);
}

function initialize(session: DapSession, args: Arguments<"initialize">): object {
  session.linesStartAt = args.linesStartAt1 === false ? 0 : 1;
  session.showsProgress = args.supportsProgressReporting === true;
  return {
    supportsConfigurationDoneRequest: true,
    supportsFunctionBreakpoints: true,
    supportsConditionalBreakpoints: true,
    supportsHitConditionalBreakpoints: true,
    supportsEvaluateForHovers: true,
    supportsStepBack: true,
    supportsGotoTargetsRequest: true,
    supportsDataBreakpoints: true,
    supportsDataBreakpointBytes: true,
    supportsReadMemoryRequest: true,
    supportsDisassembleRequest: true,
    supportsInstructionBreakpoints: true,
    supportsSteppingGranularity: true,
    supportsCancelRequest: true,
    supportsTerminateRequest: true,
    supportsSetVariable: false,
    supportsWriteMemoryRequest: false,
    exceptionBreakpointFilters: EXCEPTION_FILTERS.map(({ filter, label }) => ({
      filter,
      label,
      default: false,
    })),
  };
}

function launch(session: DapSession, args: Arguments<"launch">): undefined {
  session.checkStopped();
  session.open(args);
  session.stopAt = args.stopAt;
  session.afterwards(() => {
    session.print(session.debuggee.greeting);
    session.event("initialized");
  });
}

/** Goes to where the client wants to begin. */
function configurationDone(session: DapSession): undefined {
  const { timeline, motion } = session.debuggee, { stopAt } = session;
  session.checkStopped();
  const isInstant = typeof stopAt === "number" || /^[0-9][0-9_]*$/.test(stopAt ?? "");
  if (stopAt === undefined) session.begin("Standing at the beginning", motion.stand("entry"));
  else if (isInstant) {
    const instant = Number(String(stopAt).replaceAll("_", ""));
    checkInstant(session, instant, "stopAt");
    session.begin(`Going to instant ${grouped(instant)}`, motion.seek(instant), instant);
  } else {
    const { address } = execute(addressOf(session.subject, stopAt as string));
    session.begin(`Going to ${stopAt}`, motion.toAddress(address, "forward"), timeline.lastInstant);
  }
}

function checkInstant({ debuggee: { timeline } }: DapSession, instant: number, what: string): void {
  if (instant >= timeline.firstInstant && instant <= timeline.lastInstant) return;
  throw new UsageError(
    `${what} ${grouped(instant)} is outside of the run, which has instants ` +
      `${grouped(timeline.firstInstant)} to ${grouped(timeline.lastInstant)}`,
  );
}

function threads({ debuggee: { timeline: { machine: { board: { cpus } } } } }: DapSession): object {
  return {
    threads: cpus.map((cpu) => ({
      id: cpu.index + 1,
      name: `cpu${cpu.index} (EL${cpu.el}, ${powerText(cpu)})`,
    })),
  };
}

/** The place of a frame, by the function that its code is in. */
function frameName({ debuggee: { symbols } }: DapSession, pc: bigint, code: bigint): string {
  const place = placeOf(symbols, code);
  if (place === undefined) return hex(pc);
  const offset = place.offset + pc - code;
  return offset === 0n ? place.name : `${place.name}+${hex(offset)}`;
}

const frameIdOf = (cpu: number, level: number): number => cpu * MOST_FRAMES + level + 1;

function stackTrace(
  session: DapSession,
  { threadId, startFrame = 0, levels = 0 }: Arguments<"stackTrace">,
): object {
  const cpu = session.cpuOf(threadId), { symbols, listings } = session.debuggee;
  const frames = framesOf(cpu, symbols);
  const shown = frames.slice(startFrame, levels === 0 ? undefined : startFrame + levels);
  return {
    totalFrames: frames.length,
    stackFrames: shown.map(({ pc }, at) => {
      const level = startFrame + at;
      // A caller is shown at its call, not at what comes after it.
      const code = level === 0 ? pc : BigInt.asUintN(64, pc - 4n), listing = listings.of(code);
      return {
        id: frameIdOf(cpu.index, level),
        name: frameName(session, pc, code),
        source: sourceOf(listing),
        line: Number((code - listing.start) / 4n) + session.linesStartAt,
        column: session.linesStartAt,
        instructionPointerReference: hex(pc),
      };
    }),
  };
}

/** The CPU and level of a frame. */
function frameOf(session: DapSession, frameId: number): { readonly level: number } {
  if (frameId < 1) throw new UsageError(`There is no frame ${frameId}`);
  session.cpuOf(Math.floor((frameId - 1) / MOST_FRAMES) + 1);
  return { level: (frameId - 1) % MOST_FRAMES };
}

function callerOf(session: DapSession, frameId: number): Frame | undefined {
  const { level } = frameOf(session, frameId);
  return framesOf(session.cpu, session.debuggee.symbols)[level];
}

function scopes(session: DapSession, { frameId }: Arguments<"scopes">): object {
  const { level } = frameOf(session, frameId);
  return { scopes: [...(level > 0 ? callerScopes(frameId) : []), ...scopesOf(session.cpu)] };
}

function variables(session: DapSession, args: Arguments<"variables">): object {
  const { timeline: { machine: { board: { cpus } } }, symbols } = session.debuggee;
  const { variablesReference, start = 0, count = 0 } = args;
  const found = variablesOf(variablesReference, cpus, (id) => callerOf(session, id), symbols);
  if (found === undefined) throw new UsageError(`There is no scope ${variablesReference}`);
  return { variables: found.slice(start, count === 0 ? undefined : start + count) };
}

function readMemory(
  session: DapSession,
  { memoryReference, offset = 0, count }: Arguments<"readMemory">,
): object {
  const address = BigInt.asUintN(64, addressOf(session.subject, memoryReference) + BigInt(offset));
  const bytes = peekMemory(session.cpu, address, count);
  return {
    address: hex(address),
    data: bytes.toBase64(),
    ...(bytes.length < count ? { unreadableBytes: count - bytes.length } : {}),
  };
}

function disassemble(session: DapSession, args: Arguments<"disassemble">): object {
  const { memoryReference, offset = 0, instructionOffset = 0, instructionCount, resolveSymbols } = args;
  const { symbols } = session.debuggee;
  const base = addressOf(session.subject, memoryReference) + BigInt(offset) + 4n * BigInt(instructionOffset);
  const lines = instructionsAt(session.cpu, BigInt.asUintN(64, base & ~3n), instructionCount, symbols);
  return {
    instructions: lines.map(({ address, word, text }) => {
      const place = resolveSymbols === false ? undefined : placeOf(symbols, address);
      return {
        address: hex(address, 16),
        instruction: text,
        ...(word === undefined
          ? { presentationHint: "invalid" }
          : { instructionBytes: word.toString(16).padStart(8, "0") }),
        ...(place?.offset === 0n ? { symbol: place.name } : {}),
      };
    }),
  };
}

function source(session: DapSession, args: Arguments<"source">): object {
  const reference = args.source?.sourceReference ?? args.sourceReference;
  const listing = session.debuggee.listings.numbered(reference);
  if (listing === undefined) throw new UsageError(`There is no source ${reference}`);
  return { content: session.debuggee.listings.text(session.cpu, listing), mimeType: "text/x-asm" };
}

/** `stepOut`: on until the innermost call has returned. */
function stepOut(session: DapSession, { threadId }: Arguments<"stepOut">): undefined {
  const cpu = session.cpuOf(threadId), caller = framesOf(cpu, session.debuggee.symbols)[1];
  if (caller === undefined) throw new UsageError(`Nobody is known to have called what is at ${hex(cpu.pc)}`);
  session.begin(`Stepping out of ${hex(cpu.pc)}`, session.debuggee.motion.stepOut(cpu.index, caller.pc));
}

/** Asks what is being worked on to stop. */
function pause(session: DapSession): undefined {
  if (!session.interrupt()) session.afterwards(() => session.tellPaused());
}

function gotoTargets(session: DapSession, args: Arguments<"gotoTargets">): object {
  const { listings } = session.debuggee;
  if (args.instant !== undefined) {
    checkInstant(session, args.instant, "Instant");
    const { instant } = args;
    const id = session.addTarget({ kind: "instant", instant });
    return { targets: [{ id, label: `instant ${grouped(instant)}`, line: args.line ?? 0 }] };
  }
  const listing = listings.numbered(args.source?.sourceReference ?? 0);
  const index = (args.line ?? 0) - session.linesStartAt;
  if (listing === undefined || index < 0 || index >= listing.count) return { targets: [] };
  const address = listing.start + 4n * BigInt(index),
    place = { line: args.line, instructionPointerReference: hex(address) };
  return {
    targets: (["forward", "back"] as const).map((way) => ({
      id: session.addTarget({ kind: "address", address, way }),
      label: way === "forward"
        ? "the next time that this is executed"
        : "the last time that this was executed",
      ...place,
    })),
  };
}

function goTo(session: DapSession, { targetId }: Arguments<"goto">): undefined {
  const target = session.targetOf(targetId), { motion } = session.debuggee;
  if (target === undefined) throw new UsageError(`There is no target ${targetId}: ask for gotoTargets first`);
  if (target.kind === "instant") seek(session, target);
  else session.begin(`Going to ${hex(target.address)}`, motion.toAddress(target.address, target.way));
}

function seek(session: DapSession, { instant }: Arguments<"hindsight/seek">): undefined {
  checkInstant(session, instant, "Instant");
  session.begin(`Going to instant ${grouped(instant)}`, session.debuggee.motion.seek(instant), instant);
}

function evaluate(session: DapSession, { expression, frameId, context }: Arguments<"evaluate">): object {
  if (frameId !== undefined) frameOf(session, frameId);
  const said = context === "repl" || context === undefined ? consoleCommand(session, expression) : undefined;
  if (said !== undefined) return { result: said, variablesReference: 0 };
  const value = valueOf(session.subject, expression);
  const isAddress = typeof value === "bigint" && value >= 0x1000n && value < 2n ** 64n;
  return {
    result: valueText(value, session.debuggee.symbols),
    type: typeof value === "bigint" ? "int" : typeof value,
    variablesReference: 0,
    ...(isAddress ? { memoryReference: hex(value) } : {}),
  };
}

function end(session: DapSession): undefined {
  session.afterwards(() => session.close());
}

/** Handlers that let a CPU, or the machine, move. */
function moving(
  title: string,
  work: (session: DapSession, cpu: number) => ReturnType<DapSession["debuggee"]["motion"]["forward"]>,
): (session: DapSession, args: { readonly threadId: number }) => object {
  return (session, { threadId }) => {
    session.checkStopped();
    const { index } = session.cpuOf(threadId);
    session.begin(title, work(session, index));
    return { allThreadsContinued: true };
  };
}

/** Every request. */
// deno-fmt-ignore
export const REQUESTS: { readonly [C in Command]: Handler<C> } = {
  initialize,
  launch,
  attach: launch,
  configurationDone,
  threads,
  disconnect: end,
  terminate: (session) => { session.afterwards(() => session.event("terminated")); return undefined; },
  stackTrace,
  scopes,
  variables,
  setVariable: refuseEditing,
  setExpression: refuseEditing,
  writeMemory: refuseEditing,
  readMemory,
  disassemble,
  source,
  setBreakpoints,
  setFunctionBreakpoints,
  setInstructionBreakpoints,
  dataBreakpointInfo,
  setDataBreakpoints,
  setExceptionBreakpoints: (session, { filters }) => { session.debuggee.points.filter(filters); return undefined; },
  continue:        moving("Running",      ({ debuggee: { motion } }) => motion.forward()),
  reverseContinue: moving("Running back", ({ debuggee: { motion } }) => motion.back()),
  next:            moving("Stepping",     ({ debuggee: { motion } }, cpu) => motion.next(cpu)),
  stepIn:          moving("Stepping",     ({ debuggee: { motion } }, cpu) => motion.stepIn(cpu)),
  stepBack:        moving("Stepping back", ({ debuggee: { motion } }, cpu) => motion.stepBack(cpu)),
  stepOut,
  pause,
  cancel: (session) => { session.interrupt(); return undefined; },
  gotoTargets,
  goto: goTo,
  evaluate,
  "hindsight/seek": seek,
  "hindsight/where": ({ debuggee: { timeline } }) => ({ instant: timeline.instant, firstInstant: timeline.firstInstant, lastInstant: timeline.lastInstant, virtualTime: timeline.machine.virtualTime }),
};
