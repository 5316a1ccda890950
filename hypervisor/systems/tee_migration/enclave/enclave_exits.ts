/**
 * What an enclave does that brings it to EL3: services, counters, instructions that its CPU lacks, faults. Its exceptions
 * are taken to Secure EL1 first, whose vectors call, so that ESR_EL1, ELR_EL1 and SPSR_EL1 say what and where.
 */
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import { systemRegisterAt } from "../../../../machine/cpu/system_registers.ts";
import { systemAccessOf } from "../../../exit.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import type { Vcpu } from "../../../vcpu.ts";
import { LEFT } from "./calls.ts";
import type { Enclave, Stopped } from "./enclave.ts";
import { MOST_OUTPUT, placeOf, type ProgramHeader, SERVICES } from "./program_image.ts";
import type { HostOptions } from "./program_migration.ts";
import { emulate } from "./shims.ts";

/** SPSR_ELx.M[3:2]. */
const LEVEL = 0xcn;
/** ESR_EL1.EC of what an enclave can do and go on. */
const UNKNOWN = 0x00, WAIT_TRAPPED = 0x01, SERVICE = 0x15, REGISTER_TRAPPED = 0x18;

/** Exits of an enclave. */
export class EnclaveExits {
  /** `ended` is called when it ended by itself, or did what it may not. */
  constructor(
    private readonly monitor: TrapMonitor,
    private readonly options: HostOptions,
    private readonly enclave: Enclave,
    private readonly ended: () => void,
  ) {}

  /** A vector of Secure EL1 called: the enclave took an exception there, and its state is in the registers of EL1. */
  trapped(vcpu: Vcpu): void {
    const syndrome = Number(vcpu.get("ESR_EL1")), pc = vcpu.get("ELR_EL1"), state = vcpu.get("SPSR_EL1");
    switch (syndrome >>> 26) {
      case SERVICE:
        return this.#served(vcpu, syndrome & 0xffff, { pc, state });
      case WAIT_TRAPPED:
        return this.enclave.goTo(vcpu, { pc: pc + 4n, state });
      case REGISTER_TRAPPED:
        return this.#readRegister(vcpu, syndrome, { pc, state });
      case UNKNOWN:
        return this.#shim(vcpu, { pc, state });
      default:
        return this.#fault(vcpu, syndrome >>> 26);
    }
  }

  /** Something of the normal world's came to EL3 while it ran. */
  interrupted(vcpu: Vcpu): void {
    this.enclave.leave(vcpu, this.#stopped(vcpu), [LEFT.interrupted]);
  }

  /** Where EL0 was; if it has taken an exception to EL1 that has not called yet, it takes it again. */
  #stopped(vcpu: Vcpu): Stopped {
    const { returnAddress: pc, savedState: state } = vcpu;
    if ((state & LEVEL) === 0n) return { pc, state };
    const isService = Number(vcpu.get("ESR_EL1") >> 26n & 0x3fn) === SERVICE;
    return { pc: vcpu.get("ELR_EL1") - (isService ? 4n : 0n), state: vcpu.get("SPSR_EL1") };
  }

  #served(vcpu: Vcpu, service: number, { pc, state }: Stopped): void {
    const [x0, x1] = [vcpu.x(0), vcpu.x(1)], { enclave } = this;
    if (service === SERVICES.wait) {
      if (x0 <= enclave.counter) return enclave.goTo(vcpu, { pc, state });
      return enclave.leave(vcpu, { pc: pc - 4n, state }, [LEFT.waiting, enclave.countAt(x0)]);
    }
    if (service === SERVICES.output) {
      const words = this.#output(x0, x1);
      return words === undefined
        ? this.#fault(vcpu, SERVICE)
        : enclave.leave(vcpu, { pc, state }, [LEFT.output, x1, ...words]);
    }
    if (service !== SERVICES.exit) return this.#fault(vcpu, SERVICE);
    enclave.leave(vcpu, { pc, state }, [LEFT.done, x0]);
    this.ended();
  }

  /** Four words of what the program shows, within one of its ranges. */
  #output(address: bigint, size: bigint): bigint[] | undefined {
    const header = this.enclave.header as ProgramHeader;
    if (size < 1n || size > BigInt(MOST_OUTPUT) || address >= 2n ** 40n) return undefined;
    const shown = new Uint8Array(MOST_OUTPUT);
    for (let at = 0; at < Number(size); at++) {
      const byte = Number(address) + at;
      if (placeOf(header, byte, PAGE_SIZE) === undefined) return undefined;
      const page = this.enclave.space.read(header, byte - byte % PAGE_SIZE);
      shown[at] = page[byte % PAGE_SIZE] as number;
    }
    return [...new BigUint64Array(shown.buffer)];
  }

  /** A program may read its counter, which is not this machine's, and the frequency. */
  #readRegister(vcpu: Vcpu, syndrome: number, { pc, state }: Stopped): void {
    const access = systemAccessOf({
      class: "systemRegisterTrapped",
      iss: syndrome & 0x1ff_ffff,
      faultAddress: 0n,
      ipa: -1,
    });
    const name = systemRegisterAt(access.encoding)?.name;
    const isCounter = name === "CNTVCT_EL0" || name === "CNTPCT_EL0";
    if (!access.isRead || (!isCounter && name !== "CNTFRQ_EL0")) return this.#fault(vcpu, REGISTER_TRAPPED);
    vcpu.setX(access.Rt, isCounter ? this.enclave.counter : vcpu.get("CNTFRQ_EL0"));
    this.enclave.goTo(vcpu, { pc: pc + 4n, state });
  }

  #shim(vcpu: Vcpu, stopped: Stopped): void {
    const { features, allowsShims } = this.enclave.header as ProgramHeader, { shims, planted } = this.options;
    if (!shims || !allowsShims) return this.#fault(vcpu, UNKNOWN);
    const outcome = emulate(vcpu.cpu, stopped, features, planted !== "blind-shim");
    if (outcome.kind !== "done") return this.#fault(vcpu, UNKNOWN);
    const { opcode, feature, state } = outcome, address = stopped.pc;
    this.monitor.site.events.emit("instructionEmulated", vcpu.index, { address, opcode, feature });
    this.enclave.goTo(vcpu, { pc: address + 4n, state });
  }

  #fault(vcpu: Vcpu, exceptionClass: number): void {
    this.enclave.leave(vcpu, { pc: 0n, state: 0n }, [LEFT.faulted, BigInt(exceptionClass)]);
    this.ended();
  }
}
