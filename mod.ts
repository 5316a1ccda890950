/**
 * Hindsight: a deterministic AArch64 machine whose whole run is an event journal.
 *
 * Assemble or load a guest, record it, then replay, diff and bisect:
 *
 * ```ts
 * import { assembleProgram, JournalReader, JournalWriter, MemoryFile } from "./mod.ts";
 * import { parseConfiguration, RecordedRun, Recorder, Replay, sha256 } from "./mod.ts";
 *
 * const guest = assembleProgram("ldr w0, =0x84000008\n hvc #0\n", { base: 0x40080000n }).bytes;
 * const hash = sha256(guest).toHex();
 * const images = new Map([[hash, guest]]);
 * const kernel = { sha256: hash, size: guest.length, name: "guest" };
 * const configuration = parseConfiguration({ boot: { kernel } });
 *
 * const file = new MemoryFile();
 * const recorder = new Recorder({ configuration, depth: "traps", recordedBy: "me" }, images, new JournalWriter(file));
 * recorder.run(1_000_000);
 * recorder.finish("poweredOff");
 *
 * const replay = new Replay(new RecordedRun(JournalReader.open(file)), images);
 * replay.runToEnd(); // throws DivergenceError if a root or a stored event differs
 * ```
 *
 * @module
 */
export * from "./machine/address.ts";
export { assembleLine, AssemblyError, disassemble } from "./machine/a64/assembly.ts";
export * from "./machine/a64/program.ts";
export * from "./machine/configuration.ts";
export { type MachineImages, VirtBoard } from "./machine/compose.ts";
export * from "./machine/errors.ts";
export * from "./machine/events.ts";
export * from "./machine/machine.ts";
export * from "./machine/snapshot.ts";
export * from "./journal/bisect.ts";
export * from "./journal/diff.ts";
export * from "./journal/errors.ts";
export * from "./journal/event_json.ts";
export * from "./journal/event_stream.ts";
export * from "./journal/file.ts";
export * from "./journal/hash.ts";
export * from "./journal/images.ts";
export * from "./journal/payloads.ts";
export * from "./journal/predicate.ts";
export * from "./journal/recorder.ts";
export * from "./journal/replay.ts";
export * from "./journal/run.ts";
export { MemoryFile, type Sink, type Source as JournalSource } from "./journal/storage.ts";
