/**
 * dpu-provision (15), the DPU's side of its channel to the management controller (US12197939B2): a FIFO of messages, which
 * firmware below sends to and receives from by `SMC #n` (ESR_EL3.EC 0x17, ISS[15:0]), with buffers by its own addresses
 * (AT S12E1R/W). Boot streams of real DPUs are read by firmware at EL3 likewise. What waits is lost at a reset; whoever
 * sends is to send again what is not answered.
 */
import { z } from "zod";
import { CHANNEL, CHANNEL_CALL, CHANNEL_PORT } from "../../machine/dpu_channel.ts";
import { InputRefusedError } from "../../machine/errors.ts";
import { bytes, listOf } from "../../machine/layout.ts";
import { type Section, sectionLayout } from "../../machine/snapshot.ts";
import { EfiError } from "../efi_status.ts";
import type { TrapMonitor } from "../monitor.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../system.ts";
import type { Vcpu } from "../vcpu.ts";
import { Caller } from "./rts_upcall/caller.ts";

const SLUG = "dpu-provision";
const FAILED = 0xffff_ffff_ffff_ffffn;

const layout = sectionLayout("DPU channel", 1, { waiting: listOf(bytes(CHANNEL.MESSAGE), CHANNEL.WAITING) });

/** The FIFO. */
class DpuChannel implements MonitorSystem {
  readonly slug = SLUG;
  readonly exits: NonNullable<MonitorSystem["exits"]>;
  #waiting: readonly Uint8Array[] = [];

  constructor(private readonly monitor: TrapMonitor) {
    this.exits = { secureMonitorCall: (vcpu, { iss }) => this.#answer(vcpu, iss & 0xffff) };
  }

  reset(): void {
    this.#waiting = [];
  }

  #answer(vcpu: Vcpu, call: number): boolean {
    if (call !== CHANNEL_CALL.SEND && call !== CHANNEL_CALL.RECEIVE) return false;
    const caller = new Caller(vcpu);
    let result: bigint;
    try {
      result = call === CHANNEL_CALL.SEND ? this.#send(caller) : this.#receive(caller);
    } catch (error) {
      if (!(error instanceof EfiError)) throw error;
      result = FAILED;
    }
    vcpu.setX(0, result);
    return true;
  }

  #send(caller: Caller): bigint {
    const size = caller.argument(1);
    if (size === 0n || size > BigInt(CHANNEL.MESSAGE)) return FAILED;
    this.monitor.site.transmit(CHANNEL_PORT, caller.read(caller.argument(0), Number(size)));
    return 0n;
  }

  #receive(caller: Caller): bigint {
    const [message, ...later] = this.#waiting;
    if (message === undefined) return 0n;
    if (BigInt(message.length) > caller.argument(1)) return FAILED;
    caller.demandWritable(caller.argument(0), message.length);
    caller.write(caller.argument(0), message);
    this.#waiting = later;
    return BigInt(message.length);
  }

  prepareMessage(_vcpu: Vcpu, port: string, message: Uint8Array): (() => void) | undefined {
    if (port !== CHANNEL_PORT) return undefined;
    if (message.length === 0) throw new InputRefusedError("The DPU's channel takes no empty messages");
    if (this.#waiting.length === CHANNEL.WAITING) {
      throw new InputRefusedError(`The DPU's channel is full: ${CHANNEL.WAITING} messages wait`);
    }
    return () => {
      // Several can have been let in at one time.
      if (this.#waiting.length < CHANNEL.WAITING) this.#waiting = [...this.#waiting, message.slice()];
    };
  }

  save(): Section {
    return layout.encode(this.monitor.sectionName(SLUG), { waiting: [...this.#waiting] });
  }

  restore(section: Section): void {
    this.#waiting = layout.decode(section).waiting;
  }
}

/** The row of the system. */
export const DPU_PROVISION: SystemRow = systemRow({
  slug: SLUG,
  levels: [3],
  options: z.strictObject({}),
  build: (_options, monitor) => new DpuChannel(monitor),
});
