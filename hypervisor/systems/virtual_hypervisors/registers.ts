/** System registers of virtual CPUs that are answered in place of the CPU's own: counters, timers, interrupts, performance monitors. */
import type { Board } from "../../../machine/board.ts";
import { NANOSECONDS_PER_COUNT } from "../../../machine/clock.ts";
import { ICC_REGISTERS } from "../../../machine/cpu/gic_interface.ts";
import { SYSTEM_REGISTER_TABLE } from "../../../machine/cpu/system_registers.ts";
import type { TrappedRegister } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { VirtualMachine } from "./virtual_machine.ts";

/** ID_AA64DFR0_EL1.PMUVer, and ID_AA64PFR0_EL1's EL2 and EL3. */
const PMU_VERSION = 15n << 8n, HIGHER_LEVELS = 0xffn << 8n;

/** The rows; `current` is the virtual machine on the CPU, `timeOf` its own time in nanoseconds. */
export function trappedRegisters(
  { configuration: { gicVersion } }: Board,
  current: () => VirtualMachine,
  timeOf: (vcpu: Vcpu) => number,
): TrappedRegister[] {
  const count = (vcpu: Vcpu): bigint => BigInt(Math.floor(timeOf(vcpu) / NANOSECONDS_PER_COUNT));
  const timer = (): VirtualMachine["physicalTimer"] => current().physicalTimer;
  const without = (name: string, bits: bigint): TrappedRegister => ({
    name,
    read: (vcpu) => vcpu.get(name) & ~bits,
  });
  const interrupts = ICC_REGISTERS.filter((name) => name.endsWith("_EL1")).map((name): TrappedRegister => ({
    name,
    read: (vcpu) => {
      // What a timer asks for is what it asks for now.
      current().driveTimers(timeOf(vcpu), vcpu.get("CNTV_CTL_EL0"));
      return current().interrupts.read(name);
    },
    write: (vcpu, value) => {
      current().driveTimers(timeOf(vcpu), vcpu.get("CNTV_CTL_EL0"));
      current().interrupts.write(name, value);
    },
  }));
  // The counters of events are the machine's: a virtual CPU has none.
  const monitors = SYSTEM_REGISTER_TABLE.filter(({ name }) => /^PM.*_EL[01]$/.test(name)).map(({ name }) => ({
    name,
    read: () => 0n,
    write: () => {},
  }));
  return [
    { name: "CNTPCT_EL0", read: count },
    { name: "CNTPCTSS_EL0", read: count },
    {
      name: "CNTP_CTL_EL0",
      read: (vcpu) => timer().control(count(vcpu)),
      write: (_, value) => timer().writeControl(value),
    },
    {
      name: "CNTP_CVAL_EL0",
      read: () => timer().compareValue,
      write: (_, value) => void (timer().compareValue = value),
    },
    {
      name: "CNTP_TVAL_EL0",
      read: (vcpu) => timer().timerValue(count(vcpu)),
      write: (vcpu, value) => timer().writeTimerValue(count(vcpu), value),
    },
    without("ID_AA64DFR0_EL1", PMU_VERSION),
    without("ID_AA64PFR0_EL1", HIGHER_LEVELS),
    ...monitors,
    ...gicVersion === 3 ? interrupts : [],
  ];
}
