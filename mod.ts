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
import "./firmware/install.ts";
import "./hypervisor/install.ts";

export * from "./machine/address.ts";
export * from "./machine/a64/feature.ts";
export { assembleLine, type AssemblyContext, AssemblyError, disassemble } from "./machine/a64/assembly.ts";
export * from "./machine/a64/program.ts";
export * from "./machine/a64/program_parts.ts";
export * from "./firmware/elf.ts";
export * from "./firmware/image.ts";
export * from "./machine/configuration.ts";
export {
  DEVICE_DRIVERS,
  type DeviceConfiguration,
  type DeviceDriver,
  type DriveConfiguration,
  type FlashReference,
  type NetworkConfiguration,
} from "./machine/peripheral_configuration.ts";
export type { BlockDevice, DiskImage } from "./machine/storage/block.ts";
export type { Disk, DiskContents, DiskOptions, OverlayChunk } from "./machine/storage/disk.ts";
export { hashOfImage, MemoryImage } from "./machine/storage/image.ts";
export { type MachineImages, VirtBoard } from "./machine/compose.ts";
export type { BootWrite } from "./machine/boot_images.ts";
export { type Alarm, Clock } from "./machine/clock.ts";
export * from "./machine/cpu/cpu.ts";
export type { AddressBreakpoint, ArmedEvents, Watchpoint } from "./machine/cpu/breakpoints.ts";
export type { CpuWatches, WatchedPiece, Watches } from "./machine/cpu/watches.ts";
export type { Exception, ExceptionLevel } from "./machine/cpu/exception.ts";
export type { ClearReason, ExclusiveMonitor } from "./machine/cpu/exclusive_monitor.ts";
export type { StrictChoice, StrictModels } from "./machine/cpu/strict_models.ts";
export type { PendingWrites, WritableRegister } from "./machine/cpu/strict_context.ts";
export * from "./machine/cpu/gic_interface.ts";
export * from "./machine/cpu/timer.ts";
export type { Registers } from "./machine/cpu/registers.ts";
export { type HelperName, HELPERS } from "./machine/ir/helpers.ts";
export { type Access, ACCESSES, type ExecutionContext } from "./machine/ir/operation.ts";
export type { FaultKind } from "./machine/memory/fault.ts";
export type { Leaf } from "./machine/memory/table_walk.ts";
export type { DataCache, DataCacheObserver } from "./machine/memory/strict_data_cache.ts";
export type { DataCacheOperation } from "./machine/memory/strict_data_cache_operations.ts";
export type { InstructionCache } from "./machine/memory/strict_instruction_cache.ts";
export type { StrictTlb, TlbEntry, TlbTag } from "./machine/memory/strict_tlb.ts";
export * from "./machine/memory/tlb.ts";
export * from "./machine/memory/translation_controls.ts";
export type {
  CompileCache,
  CompiledPage,
  CompilePage,
  CompileRequest,
  CompileResult,
  CompileSetup,
  CompileStatistics,
  RegionCompiler,
  RegionCompilerFactory,
} from "./machine/engine/compile_request.ts";
export type { Engine } from "./machine/engine/engine.ts";
export type { CodeLayout } from "./machine/engine/threaded_layout.ts";
export * from "./machine/errors.ts";
export { AccessLog } from "./machine/access_log.ts";
export * from "./machine/events.ts";
export {
  ByteReader,
  ByteWriter,
  type FieldKind,
  type NumberForm,
  type Schema,
  type SchemaError,
  type ValueOf,
} from "./machine/layout.ts";
export * from "./machine/machine.ts";
export type { Board, BoardKind, BoardRow } from "./machine/board.ts";
export * from "./machine/monitor.ts";
export type { CableEnd } from "./machine/network/network.ts";
export * from "./machine/event_kind.ts";
export { MONITOR_EVENT_KINDS } from "./machine/monitor_events.ts";
export { PageMap } from "./machine/memory/page_map.ts";
export type { PageGroup } from "./machine/memory/page_map.ts";
export type { WatchHit, WatchPoint } from "./machine/watch.ts";
export * from "./machine/memory/physical.ts";
export type { Section } from "./machine/snapshot.ts";
export type { StateRoot } from "./machine/state_root.ts";
export * from "./journal/bisect.ts";
export * from "./journal/bisect_runs.ts";
export type { BlockInfo, BlockSpan } from "./journal/block.ts";
export { BLOCK_KINDS, type BlockKind } from "./journal/block_kinds.ts";
export type { FileFamily, Upcaster } from "./journal/format.ts";
export type { ByteWork, EventDigest } from "./journal/byte_work.ts";
export type { EncodedValue } from "./journal/codec.ts";
export type { PackedPayload, Packing } from "./journal/packing.ts";
export { COST_PARTS, type CostCounts, type CostPart, Costs, type CostSource } from "./journal/costs.ts";
export * from "./journal/diff.ts";
export type { AlignedEvents } from "./journal/diff_align.ts";
export type { ConsoleComparison, ConsoleDifference } from "./journal/diff_console.ts";
export * from "./journal/diff_exhaustive.ts";
export { type DiffFilterOptions, FILTER_WORDS, type IgnoredRange } from "./journal/diff_filter.ts";
export * from "./journal/diff_follow.ts";
export { DIFFERENCE_CLASSES, type DifferenceClass } from "./journal/diff_kinds.ts";
export type { FirstUse } from "./journal/diff_use.ts";
export type { DifferingParts, Healing } from "./journal/diff_roots.ts";
export * from "./journal/errors.ts";
export * from "./journal/event_json.ts";
export {
  type ExportedStep,
  type Exporter,
  type ExportFormat,
  type ExportOptions,
  exportRun,
  type PlaceNames,
} from "./journal/export.ts";
export type { EventRow } from "./journal/event_rows.ts";
export * from "./journal/event_stream.ts";
export * from "./journal/file.ts";
export type { Course, CourseOptions, Outcome, Place } from "./journal/course.ts";
export * from "./journal/explore.ts";
export * from "./journal/fork.ts";
export * from "./journal/hash.ts";
export * from "./journal/history.ts";
export * from "./journal/images.ts";
export * from "./journal/minimize.ts";
export * from "./journal/payloads.ts";
export {
  compilePredicate,
  compileTraced,
  type MemoryRead,
  type Predicate,
  type SymbolLookup,
  type TracedPredicate,
} from "./journal/predicate.ts";
export * from "./journal/query.ts";
export * from "./journal/query_expression.ts";
export {
  type ProgramNames,
  QUERY_VARIABLES,
  type QueryType,
  type QueryValue,
  type QueryVariable,
} from "./journal/query_schema.ts";
export * from "./journal/recorder.ts";
export * from "./journal/replay.ts";
export type { CheckpointHead } from "./journal/checkpoint.ts";
export { CheckpointLoader, type LaterCheckpoint } from "./journal/later_checkpoints.ts";
export type { Parts } from "./journal/root_parts.ts";
export * from "./journal/run.ts";
export type { TornTail } from "./journal/scan.ts";
export * from "./journal/timeline.ts";
export type { Slice, SliceEffort, SliceOptions, SliceTarget } from "./journal/slice.ts";
export type { SliceKind, SliceLimits, SliceNode, SliceSource, SliceStep } from "./journal/slice_graph.ts";
export type { Location } from "./journal/slice_location.ts";
export type { Role } from "./journal/slice_needs.ts";
export type { SliceChoice } from "./journal/slice_links.ts";
export * from "./journal/why.ts";
export { MemoryFile, type Sink, type Source as JournalSource } from "./journal/storage.ts";
export {
  Course as WorldCourse,
  type CourseMark,
  type CourseObserver,
  type CourseStop,
  type Reports,
  type Round,
  type TimedWorldInput,
  type WorldRoot,
} from "./world/course.ts";
export * from "./world/bisect.ts";
export * from "./world/bisect_inputs.ts";
export type {
  MachineCheckpoint,
  MemberCheckpoint,
  ProgramCheckpoint,
  StoredEntries,
  ToldCheckpoint,
  WorldCheckpoint,
} from "./world/checkpoint.ts";
export {
  carryOut,
  carryOutApart,
  type Crew,
  type CrewOptions,
  type DistantCrew,
  LocalCrew,
  type ResumedWorld,
} from "./world/crew.ts";
export * from "./world/description.ts";
export * from "./world/diff.ts";
export * from "./world/errors.ts";
export type { WorldEvent, WorldEventKind, WorldEventOf, WorldInput } from "./world/events.ts";
export { WORLD_EVENT_KINDS, WORLD_EVENT_NAMES } from "./world/events.ts";
export { WORLD_FAMILY, WORLD_FORMAT } from "./world/family.ts";
export * from "./world/fork.ts";
export { type LifeNumber, LifeSource } from "./world/life_source.ts";
export type { InFlight, LinksMark } from "./world/links.ts";
export type { Delivery, MemberMark, MemberRoots, Report, Sent, Turn } from "./world/member.ts";
export { type NodeProcess, type NodeProgram, nodeProgram, type NodeSite } from "./world/node_program.ts";
export { WORLD_END_REASONS, type WorldEnd, type WorldManifest } from "./world/payloads.ts";
export * from "./world/power_cuts.ts";
export * from "./world/recorder.ts";
export { differingParts, WorldReplay } from "./world/replay.ts";
export type { WorldHistory } from "./world/roots.ts";
export { type RecordedLife, RecordedWorld, type StoredCheckpoint } from "./world/run.ts";
export { searched, type WorldSearch, type WorldVerdict } from "./world/search.ts";
export * from "./world/session.ts";
export * from "./world/timeline.ts";
