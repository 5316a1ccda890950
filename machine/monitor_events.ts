/** The kinds of events that monitors and their systems add to those of the machine. */
import { kind } from "./event_kind.ts";
import { bytes, flag, listOf, oneOf, text, u16, u32, u53, u64, u8 } from "./layout.ts";

/** Rows as in EVENT_KINDS, behind those; new rows go to the end, each under the system whose event it is. */
// deno-fmt-ignore
export const MONITOR_EVENT_KINDS = {
  // A monitor made its guest take an exception or an interrupt, as hardware would have: `to` is the guest's level.
  exceptionInjected:     kind("trap",   { to: u8, syndrome: u64, faultAddress: u64, returnAddress: u64, vector: u64 }),
  // A monitor met what it cannot go on from: the machine powers off.
  monitorStopped:        kind("trap",   { level: u8, reason: text(256) }),
  // Software below a monitor accessed a system register, and the monitor answered.
  registerEmulated:      kind("detail", { level: u8, register: text(32), access: oneOf("read", "write"), value: u64 }),
  // A virtual interrupt controller: the model's own events, beside those of the board's controller.
  virtualInterruptRaised: kind("detail", { interrupt: u16, source: text(32) }),
  virtualInterruptAcknowledged: kind("detail", { interrupt: u16 }),
  // gva-scan: what a guest's virtual addresses lead to, run by run, then what the scan took. Attributes as in PAR_EL1.
  addressRangeScanned:   kind("detail", { gva: u64, size: u53, state: oneOf("mapped", "unbacked", "protected", "unaccessed", "hole", "identity"), ipa: u64, pa: u64, attributes: u64 }),
  addressSpaceScanned:   kind("detail", { stage1: u32, stage2: u32, descriptorsRead: u32, backed: u32, runs: u32, isComplete: flag, next: u64 }),
  addressScanRefused:    kind("detail", { reason: text(256) }),
  // With `--stop-at vector-loop`: an exception whose taking changed nothing, since what is at its vector raises it.
  vectorLoopDetected:    kind("trap",   { level: u8, syndrome: u64, faultAddress: u64, vector: u64 }),
  // A monitor gave its guest a value in X0 to X30.
  guestRegisterWritten:  kind("detail", { level: u8, number: u8, value: u64 }),
  // icache-on-fault: a guest's access was refused by stage 2; `ipa` is the access's, or the table's page on a walk.
  stage2Faulted:         kind("trap",   { ipa: u64, access: oneOf("read", "write", "fetch"), reason: oneOf("translation", "permission"), onWalk: flag }),
  // The monitor cleaned data, or invalidated instructions, of a page line by line (or everything: then `physical` is 0).
  rangeMaintained:       kind("trap",   { cache: oneOf("data", "instruction"), operation: text(16), physical: u64, lines: u32 }),
  // The guest has a page at a frame.
  stage2Mapped:          kind("trap",   { ipa: u64, physical: u64, read: flag, write: flag, execute: flag }),
  // The guest lost a page; its contents are at `to` now.
  stage2Unmapped:        kind("trap",   { ipa: u64, reason: oneOf("evicted", "moved"), from: u64, to: u64 }),
  // exclusive-probe: a monitor carried out a guest's store-exclusive, behind a trap, with what lay between.
  exclusiveCompleted:    kind("detail", { address: u53, size: u8, status: u8, instructions: u8 }),
  // icache-on-fault: the monitor stored for an instruction that writes to its own page.
  guestStoreDone:        kind("trap",   { ipa: u64, physical: u64, size: u8, value: u64 }),
  // dcc-hypercall: an MRS of MDCCSR_EL0 came to the monitor, with X0 to X7 as they were, and what became of it.
  debugChannelTrapped:   kind("trap",   { level: u8, outcome: oneOf("answered", "injected", "declined", "refused"), x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64 }),
  // Messages between monitors of different machines, by the names of their ports.
  messageReceived:       kind("input",  { virtualTime: u53, port: text(32), bytes: bytes(65536) }),
  messageTransmitted:    kind("detail", { port: text(32), bytes: bytes(65536) }),
  // unified-backdoor: a call as it came in, with W7; then what became of it, with a digest of the bytes of a buffer that moved.
  backdoorCalled:        kind("trap",   { trigger: oneOf("hvc", "mrs", "brk"), level: u8, instruction: u32, x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64 }),
  backdoorReturned:      kind("trap",   { outcome: oneOf("answered", "unknown", "continued", "faulted", "undefined"), port: u16, bytes: u32, digest: u64 }),
  // A message came whole from the guest, or the guest has one whole; or it was told to begin again after a checkpoint.
  guestMessageReceived:  kind("trap",   { channel: u8, protocol: oneOf("RPCI", "TCLO"), bytes: u32, digest: u64, text: text(128) }),
  guestMessageDelivered: kind("trap",   { channel: u8, protocol: oneOf("RPCI", "TCLO"), bytes: u32, digest: u64, text: text(128) }),
  guestMessageInterrupted: kind("trap", { channel: u8, protocol: oneOf("RPCI", "TCLO") }),
  // rts-upcall: a stub of firmware asked for a service; a caller at `level`, X0 to X7.
  firmwareServiceCalled: kind("trap",   { service: text(40), level: u8, arguments: listOf(u64, 8) }),
  // The answer in X0, and the pages of the caller's arguments in the order of their use, by physical address.
  firmwareServiceReturned: kind("trap", { service: text(40), status: u64, pages: listOf(u53, 64) }),
  // A variable of UEFI has another value, or attributes; one that is not there has none of either.
  variableWritten:       kind("trap",   { vendor: text(36), name: text(1536), attributes: u32, before: bytes(0x8000), after: bytes(0x8000) }),
  // dcc-hypercall: the host took a line from a CPU's debug channel; what is no printed character is \xHH in it.
  debugLineLogged:       kind("trap",   { text: text(1024) }),
  // el3-simdev: a device's work went from one to the other.
  deviceMoved:           kind("trap",   { device: text(32), to: oneOf("hardware", "monitor") }),
  // tee-migration: what an agent at one end did.
  teeMigrationStepped:   kind("trap",   { role: oneOf("source", "destination"), step: text(16), epoch: u32, sequence: u53, detail: text(256) }),
  // tee-migration: what became of an enclave at EL3, and why it was left.
  enclaveChanged:        kind("trap",   { change: oneOf("created", "entered", "left", "destroyed"), detail: text(64) }),
  // A monitor carried out an instruction of an extension that the CPU lacks.
  instructionEmulated:   kind("detail", { address: u64, opcode: u32, feature: text(16) }),
  // el3-ecam, ecam-segments: a cycle of configuration space by an access of the guest's at `programCounter`, done by the monitor.
  configurationRead:     kind("trap",   { segment: u16, bdf: u16, offset: u16, size: u8, value: u32, programCounter: u64 }),
  configurationWritten:  kind("trap",   { segment: u16, bdf: u16, offset: u16, size: u8, value: u32, programCounter: u64 }),
  // ecam-segments: a bus of a root complex without ECAM is bus 0 of a segment; functions are device << 3 | function.
  segmentMapped:         kind("trap",   { segment: u16, address: u53, port: text(32), bus: u8, window: u53, size: u53, functions: listOf(u8, 256) }),
  segmentOmitted:        kind("trap",   { port: text(32), requester: u16, reason: text(128) }),
  // The monitor did a true configuration cycle, by index and window of the root port; an operating system's are accesses to "ecam". Requester: bus, device and function.
  configurationCycleDone: kind("detail", { port: text(32), requester: u16, access: oneOf("read", "write"), offset: u16, size: u8, value: u32 }),
  // tee-migration: granules changed hands; a host was denied one; a migration's transcript, signed.
  granulesChanged:       kind("trap",   { base: u53, count: u32, from: oneOf("undelegated", "delegated", "realm"), to: oneOf("undelegated", "delegated", "realm") }),
  hostAccessDenied:      kind("detail", { address: u53, access: oneOf("read", "write", "fetch") }),
  transcriptSigned:      kind("trap",   { role: oneOf("source", "destination"), epoch: u32, attempt: u32, messages: u32, fromSource: bytes(32), fromDestination: bytes(32), signature: bytes(64) }),
  // virtual-hypervisors: a virtual CPU is on the CPU from this step on, the machine's instants less its own are `base`; vm 0 is nobody.
  vcpuEntered:           kind("trap",   { instance: u16, vm: u16, vcpu: u8, base: u53, ownTime: u53 }),
  // A quantum of its own time is over; it was typed something. Times are its own.
  vcpuTicked:            kind("trap",   { ownTime: u53 }),
  vmConsoleReceived:     kind("trap",   { ownTime: u53, bytes: bytes(65536) }),
  // A virtual machine came for the first time, with its memory by numbers of 2 MiB blocks, in order; and it went.
  vmStarted:             kind("trap",   { instance: u16, vm: u16, blocks: listOf(u32, 2048) }),
  vmEnded:               kind("trap",   { instance: u16, vm: u16, outcome: text(16) }),
  // A call of an instance's management plane, from within one of its virtual machines or (vm 0) from outside.
  managementCalled:      kind("trap",   { instance: u16, vm: u16, call: text(4096), answer: text(4096) }),
  managementPlaneChanged: kind("trap",  { instance: u16, state: oneOf("crashed", "restarted"), generation: u32 }),
  // serial-consoles: the line shows another console; a terminal was taken into use, blank, in an encoding.
  consoleSwitched:       kind("trap",   { from: text(16), to: text(16), by: oneOf("key", "operator") }),
  consoleAttached:       kind("trap",   { console: text(16), terminal: text(64), encoding: text(16) }),
} as const;
