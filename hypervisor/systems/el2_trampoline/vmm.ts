/**
 * el2-trampoline (US10019275B2) with its VMM in TypeScript: EL2 belongs to the guest's own code, the trampoline in A64, and
 * this takes the exceptions that come to EL2 while VBAR_EL2 holds the VMM's vectors.
 *
 * `--monitor el2:el2-trampoline,vectors=0x40083000` with `-M virt,virtualization=on`. It answers what a guest of
 * `firmware/el2_trampoline/vmm.ts` asks in the same way: PSCI, the distributor, interrupts. Where the vmkernel has to
 * run it leaves the reason in TPIDR_EL2, and the exception goes on to the vectors, which lead back into the trampoline. An
 * HVC of EL2 itself says that the trampoline has entered it.
 */
import { z } from "zod";
import type { MonitorConfiguration } from "../../../machine/configuration.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { Exception } from "../../../machine/cpu/exception.ts";
import { returnFromException } from "../../../machine/cpu/exception_return.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { u32 } from "../../../machine/layout.ts";
import type { InstalledMonitor, MonitorSite } from "../../../machine/monitor.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { type Exit, exitOf, systemAccessOf } from "../../exit.ts";
import { injectNoAnswer, injectUndefined } from "../../injection.ts";
import { decodeMmio, performMmio } from "../../mmio.ts";
import { EXIT_NANOSECONDS } from "../../monitor.ts";
import { Vcpu } from "../../vcpu.ts";
import { SharedInterrupts } from "./interrupts.ts";

/** The name by which a configuration asks for it. */
export const EL2_TRAMPOLINE = "el2-trampoline";

/** Why the vmkernel has to run, as `REASON` of the firmware. */
const REASON = { IRQ: 1n, YIELD: 2n, OFF: 3n, RESET: 4n, SERROR: 5n } as const;
/** Immediate of the guest's HVC that gives way. */
const YIELD = 0x10;

/** Results of PSCI (Arm DEN 0022) and SMCCC. */
const SUCCESS = 0n,
  NOT_SUPPORTED = -1n,
  INVALID_PARAMETERS = -2n,
  ALREADY_ON = -4n,
  ON = 0n,
  VERSION = 0x1_0001n;
const NO_TRUSTED_OS = 2n, AFFINITY = 0xff_ffffn;

/** An answer for the guest, or a reason to leave it. */
type Answer = { readonly result: bigint } | { readonly reason: bigint };

const ofOwn = (result: bigint) => (target: bigint): Answer => ({
  result: (target & AFFINITY) === 0n ? result : INVALID_PARAMETERS,
});

/** PSCI and SMCCC for a guest of one CPU, by function identifier, from X1. */
const FUNCTIONS: ReadonlyMap<number, (argument: bigint) => Answer> = new Map([
  [0x8000_0000, () => ({ result: VERSION })],
  [0x8400_0000, () => ({ result: VERSION })],
  [0x8400_0003, ofOwn(ALREADY_ON)],
  [0xc400_0003, ofOwn(ALREADY_ON)],
  [0x8400_0004, ofOwn(ON)],
  [0xc400_0004, ofOwn(ON)],
  [0x8400_0006, () => ({ result: NO_TRUSTED_OS })],
  [0x8400_0008, () => ({ reason: REASON.OFF })],
  [0x8400_0009, () => ({ reason: REASON.RESET })],
  [
    0x8400_000a,
    (id: bigint) => ({ result: FUNCTIONS.has(Number(id & 0xffff_ffffn)) ? SUCCESS : NOT_SUPPORTED }),
  ],
]);

const options = z.strictObject({
  vectors: z.string("vectors=ADDRESS is wanted: what VBAR_EL2 holds while the VMM is active")
    .regex(/^0x[0-9a-f]{1,16}$/i, "vectors is an address, such as 0x40083000")
    .transform((text) => BigInt(text))
    .refine((address) => (address & 0x7ffn) === 0n, "vectors is a multiple of 0x800"),
});

const layout = sectionLayout("trampoline VMM", 1, { control: u32 });

/** The VMM. */
export class TrampolineVmm implements InstalledMonitor {
  readonly level = 2;
  readonly isShared = true;
  readonly #interrupts: SharedInterrupts;
  readonly #vcpus = new Map<number, Vcpu>();

  /** `vectors` is VBAR_EL2 while it is active. */
  constructor(private readonly site: MonitorSite, private readonly vectors: bigint) {
    this.#interrupts = new SharedInterrupts(site.board);
  }

  reset(): void {
    this.#interrupts.control = 0;
  }

  started(): void {}

  #vcpu(cpu: Cpu): Vcpu {
    const known = this.#vcpus.get(cpu.index) ?? new Vcpu(cpu, 2);
    this.#vcpus.set(cpu.index, known);
    return known;
  }

  handle(cpu: Cpu, exception: Exception): boolean {
    if (cpu.registers.system[INDEX.VBAR_EL2] !== this.vectors) return false;
    const vcpu = this.#vcpu(cpu);
    this.site.clock.charge(EXIT_NANOSECONDS);
    const reason = this.#exit(vcpu, exception);
    if (reason !== undefined) {
      vcpu.set("TPIDR_EL2", reason);
      this.#interrupts.admit(cpu, false);
      return false;
    }
    cpu.registers.pc = returnFromException(cpu);
    return true;
  }

  /** Deals with an exception; a reason to leave the guest, if there is one. */
  #exit(vcpu: Vcpu, exception: Exception): bigint | undefined {
    const { cpu } = vcpu;
    if (exception.kind === "serror") return REASON.SERROR;
    if (exception.kind !== "synchronous") return this.#interrupts.take(cpu) ? REASON.IRQ : undefined;
    const exit = exitOf(exception);
    switch (exit.class) {
      case "hypervisorCall":
        if (vcpu.level === 2) return void this.#interrupts.admit(cpu, true);
        return this.#call(vcpu, exit.iss & 0xffff);
      case "secureMonitorCall":
        vcpu.setX(0, NOT_SUPPORTED);
        return void vcpu.skip();
      case "systemRegisterTrapped":
        return void this.#register(vcpu, exit);
      case "dataAbortLower":
        return void this.#access(vcpu, exit);
      case "instructionAbortLower":
        return void injectNoAnswer(vcpu, exit);
      default:
        return void injectUndefined(vcpu);
    }
  }

  /** HVC of the guest: 0 is a call of firmware; those of the vmkernel are nothing here. */
  #call(vcpu: Vcpu, immediate: number): bigint | undefined {
    if (immediate === YIELD) return REASON.YIELD;
    const answer = immediate === 0 ? FUNCTIONS.get(Number(vcpu.x(0) & 0xffff_ffffn))?.(vcpu.x(1)) : undefined;
    if (answer !== undefined && "reason" in answer) return answer.reason;
    vcpu.setX(0, answer?.result ?? NOT_SUPPORTED);
    return undefined;
  }

  /** The vmkernel's registers read as zero and ignore writes. */
  #register(vcpu: Vcpu, exit: Exit): void {
    const { Rt, isRead } = systemAccessOf(exit);
    if (isRead) vcpu.setX(Rt, 0n);
    vcpu.skip();
  }

  #access(vcpu: Vcpu, exit: Exit): void {
    const access = decodeMmio(vcpu.cpu);
    if (access !== undefined && performMmio(vcpu.cpu, this.#interrupts, access)) return vcpu.skip();
    injectNoAnswer(vcpu, exit);
  }

  prepareTimeScale(): () => void {
    throw new InputRefusedError("Cannot change a time scale: the trampoline's VMM has none");
  }

  prepareCommand(): () => void {
    throw new InputRefusedError("The trampoline's VMM takes no commands");
  }

  prepareMessage(): undefined {
    return undefined;
  }

  save(): readonly Section[] {
    const { control } = this.#interrupts;
    return [layout.encode(`monitor2.${EL2_TRAMPOLINE}`, { control })];
  }

  restore(section: (name: string) => Section): void {
    this.#interrupts.control = layout.decode(section(`monitor2.${EL2_TRAMPOLINE}`)).control;
  }
}

/** Builds the VMM of a configuration that asks for it alone. Throws ConfigurationError. */
export function buildTrampolineVmm({ systems }: MonitorConfiguration, site: MonitorSite): TrampolineVmm {
  const [first, ...others] = systems;
  if (first === undefined || others.length > 0) {
    throw new ConfigurationError(
      `Cannot enable ${EL2_TRAMPOLINE} beside others at EL2: it takes exceptions by VBAR_EL2`,
    );
  }
  const { gicVersion, virtualization } = site.board.configuration;
  if (gicVersion !== 2 || !virtualization) {
    throw new ConfigurationError(
      `Cannot enable ${EL2_TRAMPOLINE}: it needs -M virt,virtualization=on,gic-version=2`,
    );
  }
  const parsed = options.safeParse(first.options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ConfigurationError(`Cannot set the system ${EL2_TRAMPOLINE} up: ${issue?.message}`);
  }
  return new TrampolineVmm(site, parsed.data.vectors);
}
