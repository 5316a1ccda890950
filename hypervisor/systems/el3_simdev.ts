/**
 * Devices that are not there, simulated in Secure state: el3-simdev (US09952887B2).
 *
 * Nothing answers at the device's addresses. With SCR_EL3.EA set, the synchronous External abort of an access from EL0,
 * EL1 or EL2 is taken to EL3 (Arm ARM D1.13.4), with ISV = 0: the monitor reads the instruction that ELR_EL3 points to,
 * translates FAR_EL3 by AT, does the access on a model of its own, and returns behind the instruction. What is in no
 * simulated device, or is no load or store of one register, is an abort at the level that it came from.
 *
 * The devices are those that `-M virt,unplugged=…` takes off the board's bus. An operator has one plugged in again
 * (`plug NAME`), or unplugged (`unplug NAME`), at any step: registers, pending input and alarms move with the work.
 */
import { z } from "zod";
import { hex } from "../../machine/address.ts";
import { ConfigurationError, InputRefusedError } from "../../machine/errors.ts";
import { bytes, listOf } from "../../machine/layout.ts";
import type { StandIn, UnpluggedDevice } from "../../machine/monitor.ts";
import { type Section, type SectionLayout, sectionLayout } from "../../machine/snapshot.ts";
import { decodeMmio, performMmio } from "../mmio.ts";
import type { TrapMonitor } from "../monitor.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../system.ts";
import type { Vcpu } from "../vcpu.ts";
import { VirtualBus } from "../virtual_bus.ts";

/** SCR_EL3.EA: External aborts go to EL3. */
const SCR_EA = 1n << 3n;
/** ISS of a data abort: FnV; DFSC of a synchronous External abort that is not on a table walk. */
const FNV = 1 << 10, STATUS = 0x3f, EXTERNAL_ABORT = 0x10;

/** The section: of each device, in the order of the board, the section of its model. */
export const SIMDEV_LAYOUT: SectionLayout<{ states: Uint8Array[] }> = sectionLayout("el3-simdev", 1, {
  states: listOf(bytes(2 ** 30), 8),
});

/** A device of which there is a model here. */
interface Simulated {
  readonly device: UnpluggedDevice;
  readonly model: StandIn;
}

/** Does the work of devices that are unplugged. */
export class El3Simdev implements MonitorSystem {
  readonly slug = "el3-simdev";
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    dataAbortLower: (vcpu, { iss }) => (iss & (FNV | STATUS)) === EXTERNAL_ABORT && this.#accessed(vcpu),
  };
  readonly #monitor: TrapMonitor;
  readonly #simulated: readonly Simulated[];
  readonly #bus = new VirtualBus();

  /** Builds a model for each device; throws ConfigurationError when none is unplugged. */
  constructor(monitor: TrapMonitor) {
    this.#monitor = monitor;
    this.#simulated = monitor.site.unplugged.map((device) => ({ device, model: device.standIn() }));
    if (this.#simulated.length === 0) {
      throw new ConfigurationError(
        "Cannot enable el3-simdev: no device is unplugged; add unplugged=rtc to -M virt",
      );
    }
    for (const { device: { base, size }, model } of this.#simulated) this.#bus.add(base, size, model);
  }

  started(vcpu: Vcpu): void {
    vcpu.change("SCR_EL3", SCR_EA);
  }

  /** Does an access that nothing answered; false when it is not for a simulated device, or cannot be done. */
  #accessed(vcpu: Vcpu): boolean {
    const access = decodeMmio(vcpu.cpu, 3);
    if (access === undefined) return false;
    const first = this.#bus.find(access.address), last = this.#bus.find(access.address + access.size - 1);
    if (first === undefined || first.device !== last?.device) return false;
    try {
      if (!performMmio(vcpu.cpu, this.#bus, access, 3)) return false;
    } catch (error) {
      const { message } = error as Error;
      this.#monitor.stop(
        vcpu,
        `the model of ${first.device.name} failed at ${hex(access.address)}: ${message}`,
      );
      return true;
    }
    vcpu.skip();
    return true;
  }

  prepareCommand(vcpu: Vcpu, [verb, name, ...rest]: readonly string[]): () => void {
    const found = this.#simulated.find(({ device }) => device.name === name);
    if ((verb !== "plug" && verb !== "unplug") || found === undefined || rest.length > 0) {
      const names = this.#simulated.map(({ device }) => device.name).join(", ");
      throw new InputRefusedError(`el3-simdev takes "plug NAME" and "unplug NAME", of ${names}`);
    }
    const { device } = found;
    if (device.isAttached === (verb === "plug")) {
      throw new InputRefusedError(`${device.name} is ${verb}ged already`);
    }
    return () => {
      if (verb === "plug") device.attach();
      else device.detach();
      const to = device.isAttached ? "hardware" : "monitor";
      this.#monitor.site.events.emit("deviceMoved", vcpu.index, { device: device.name, to });
    };
  }

  reset(): void {
    for (const { model } of this.#simulated) model.reset();
  }

  save(): Section {
    return SIMDEV_LAYOUT.encode(this.#monitor.sectionName(this.slug), {
      states: this.#simulated.map(({ model }) => model.save().bytes),
    });
  }

  restore(section: Section): void {
    const { states } = SIMDEV_LAYOUT.decode(section);
    if (states.length !== this.#simulated.length) {
      throw new RangeError(
        `Cannot restore el3-simdev: ${states.length} devices, there are ${this.#simulated.length}`,
      );
    }
    for (const [at, { model }] of this.#simulated.entries()) {
      model.restore({ ...model.save(), bytes: states[at] as Uint8Array });
    }
  }
}

const options = z.strictObject({});

/** The row. */
export const EL3_SIMDEV: SystemRow = systemRow<z.output<typeof options>>({
  slug: "el3-simdev",
  levels: [3],
  options,
  build: (_options, monitor) => new El3Simdev(monitor),
});
