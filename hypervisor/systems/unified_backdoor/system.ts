/**
 * unified-backdoor (5): one hypercall interface across processors (US20210224090A1, US11550609B2).
 *
 * A port access of another architecture is described in registers, X0 to X6 for its operands and W7 for the instruction,
 * and asked for by HVC #0x86 from EL1, by MRS of MDCCSR_EL0 with 0x86 in X7[63:32] from EL0 and EL1 (`dcc-hypercall`
 * has the trap and offers the call), or by BRK #0x86 from EL0 and EL1, which MDCR_EL2.TDE brings to EL2 (Arm ARM
 * D13.3). All three come to the same port space. Buffers of string instructions are the caller's virtual addresses,
 * translated by AT S12E0R/W or S12E1R/W; a fault is the caller's data abort, with X2 and X4 or X5 where the instruction
 * stands, so that it begins again there. Other BRKs and debug exceptions that TDE brings go back to EL1.
 */
import { createHash } from "node:crypto";
import { ConfigurationError } from "../../../machine/errors.ts";
import { record } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { El2Monitor } from "../../el2_monitor.ts";
import { translateGuest } from "../../guest_memory.ts";
import {
  type HypercallOutcome,
  type HypercallTrigger,
  type MonitorSystem,
  type SystemRow,
  systemRow,
} from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { type MendAccess, performCall } from "./calls.ts";
import { type Channel, Channels, CHANNELS_FIELDS, type MessageTaker } from "./channels.ts";
import { commandOf } from "./commands.ts";
import { callByGuest, replyOf } from "./guest_calls.ts";
import { GUEST_INFO_FIELDS, GuestInfo } from "./guest_info.ts";
import { type UnifiedBackdoorOptions, unifiedBackdoorOptions } from "./options.ts";
import type { PortSite } from "./port_space.ts";

const SLUG = "unified-backdoor";

/** The immediate of HVC and BRK, and X7[63:32] of MRS. */
const CALL = 0x86, IMMEDIATE = 0xffff;
/** PAR_EL1 of a fault: stage 2's, and on a walk of stage 1; ISS of a data abort: a write. */
const PAR_STAGE2 = 1n << 9n, PAR_WALK = 1n << 8n, DIRECTION_WRITE = 1 << 6;
const MIB = 2 ** 20, NANOSECONDS = 1000, MICROSECONDS = 1_000_000n;

const layout = sectionLayout("unified backdoor", 1, {
  channels: record(CHANNELS_FIELDS),
  info: record(GUEST_INFO_FIELDS),
});

/** The start of a digest, as events have it; 0n for nothing. */
function digestOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return createHash("sha256").update(bytes).digest().readBigUInt64BE(0);
}

const TEXT_MAX = 128;

/** The beginning of a message in printable characters. */
function printable(message: Uint8Array): string {
  let text = "";
  for (const byte of message.subarray(0, TEXT_MAX)) {
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  }
  return text;
}

const encoder = new TextEncoder();
/** What a host says to a program that listens for its calls: first, and once that was answered. */
const FIRST_CALL = encoder.encode("reset"), SECOND_CALL = encoder.encode("Capabilities_Register");

/** The system in one monitor. */
export class UnifiedBackdoor implements MonitorSystem, MessageTaker {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]>;
  /** What guest and host share. */
  readonly info = new GuestInfo();
  /** Message channels. */
  readonly channels: Channels;
  readonly #ports: PortSite;
  /** The CPU whose call is being carried out, for events. */
  #caller = 0;

  /** `reset` must be called before it is used. */
  constructor(private readonly options: UnifiedBackdoorOptions, private readonly monitor: El2Monitor) {
    const { seed, rtcBase } = monitor.site.board.configuration;
    this.channels = new Channels(BigInt(seed), options.highBandwidth, this);
    this.#ports = {
      channels: this.channels,
      product: options.product,
      memory: Math.floor(monitor.space.ram.size / MIB),
      now: () => BigInt(rtcBase) * MICROSECONDS + BigInt(Math.floor(monitor.site.clock.now / NANOSECONDS)),
    };
    if (options.breakpoint) monitor.debug.use();
    this.exits = {
      hypervisorCall: (vcpu, { iss }) => (iss & IMMEDIATE) === CALL && this.#hypervisorCall(vcpu),
      // Other BRKs, and what else TDE brings, the monitor gives back.
      breakpointInstruction: (vcpu, { iss }) => (iss & IMMEDIATE) === CALL && this.#breakpoint(vcpu),
    };
  }

  /** HVC returns behind itself; as a call it is where the others are. */
  #hypervisorCall(vcpu: Vcpu): boolean {
    vcpu.returnAddress = BigInt.asUintN(64, vcpu.returnAddress - 4n);
    if (this.monitor.hypercall(vcpu, "hvc") === "answered") vcpu.skip();
    return true;
  }

  #breakpoint(vcpu: Vcpu): boolean {
    const outcome = this.monitor.hypercall(vcpu, "brk");
    if (outcome === "answered") vcpu.skip();
    return outcome !== "declined";
  }

  hypercall(vcpu: Vcpu, trigger: HypercallTrigger): HypercallOutcome {
    if (trigger === "mrs" && vcpu.x(7) >> 32n !== BigInt(CALL)) return "declined";
    const { events } = this.monitor.site, x = (n: number) => vcpu.x(n);
    events.emit("backdoorCalled", vcpu.index, {
      trigger,
      level: vcpu.level,
      instruction: Number(x(7) & 0xffff_ffffn),
      ...{ x0: x(0), x1: x(1), x2: x(2), x3: x(3), x4: x(4), x5: x(5), x6: x(6) },
    });
    this.#caller = vcpu.index;
    const { outcome, port, bytes } = performCall(vcpu, this.#ports, this.#mend);
    events.emit("backdoorReturned", vcpu.index, {
      outcome,
      port,
      bytes: bytes.length,
      digest: digestOf(bytes),
    });
    return outcome === "answered" || outcome === "unknown" ? "answered" : "injected";
  }

  /**
   * A page that another system has taken from stage 2 comes back as if the guest itself had met its absence. Where a
   * page of stage 1's tables is missing, AT does not say which: to the guest nothing answers then.
   */
  readonly #mend: MendAccess = (vcpu, { address, par = 0n }, isWrite) => {
    if ((par & (PAR_STAGE2 | PAR_WALK)) !== PAR_STAGE2) return false;
    const place = translateGuest(vcpu.cpu, "s1e1", address);
    if (place.faulted) return false;
    vcpu.set("FAR_EL2", address);
    const iss = Number(par >> 1n & 0x3fn) | (isWrite ? DIRECTION_WRITE : 0);
    return this.monitor.offer(vcpu, {
      class: "dataAbortLower",
      iss,
      faultAddress: address,
      ipa: place.address,
    });
  };

  opened(channel: Channel): void {
    if (channel.protocol === "TCLO") this.channels.post(channel, FIRST_CALL);
  }

  received(channel: Channel, message: Uint8Array): Uint8Array | undefined {
    if (channel.protocol === "RPCI" || message.length > 0) {
      this.#tell("guestMessageReceived", channel, message);
    }
    if (channel.protocol === "RPCI") return replyOf(callByGuest(message, this.info));
    return message.length > 0 && printable(message).startsWith("OK ATR") ? SECOND_CALL : undefined;
  }

  delivered(channel: Channel, message: Uint8Array): void {
    this.#tell("guestMessageDelivered", channel, message);
  }

  interrupted({ number, protocol }: Channel): void {
    this.monitor.site.events.emit("guestMessageInterrupted", this.#caller, { channel: number, protocol });
  }

  #tell(
    kind: "guestMessageReceived" | "guestMessageDelivered",
    { number, protocol }: Channel,
    message: Uint8Array,
  ): void {
    this.monitor.site.events.emit(kind, this.#caller, {
      channel: number,
      protocol,
      bytes: message.length,
      digest: digestOf(message),
      text: printable(message),
    });
  }

  reset(): void {
    this.channels.reset();
    this.info.reset();
    for (const [name, value] of this.options.guestInfo) this.info.set(name, encoder.encode(value));
  }

  prepareCommand(_vcpu: Vcpu, words: readonly string[]): () => void {
    return commandOf(words, this);
  }

  save(): Section {
    return layout.encode(this.monitor.sectionName(SLUG), {
      channels: this.channels.state,
      info: this.info.state,
    });
  }

  restore(section: Section): void {
    const { channels, info } = layout.decode(section);
    this.channels.state = channels;
    this.info.state = info;
  }
}

/** The row of the system. */
export const UNIFIED_BACKDOOR: SystemRow = systemRow<UnifiedBackdoorOptions>({
  slug: SLUG,
  levels: [2],
  options: unifiedBackdoorOptions,
  brand: "vmware",
  build(options, monitor) {
    if (monitor instanceof El2Monitor) return new UnifiedBackdoor(options, monitor);
    throw new ConfigurationError("unified-backdoor is for a monitor at EL2");
  },
});
