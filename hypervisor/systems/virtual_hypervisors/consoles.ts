/** The consoles of all virtual machines on the machine's one line: who is attached, and whose bytes are written there. */
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Kernel } from "./kernel.ts";
import { MachineLine } from "./line.ts";
import { keyOf, type VmKey } from "./objects.ts";
import type { VirtualHypervisorsOptions } from "./options.ts";
import type { VirtualMachine } from "./virtual_machine.ts";
import type { VirtualMachines } from "./virtual_machines.ts";

/** The line and its users. */
export class Consoles {
  /** Whom bytes typed on the line go to. */
  attached: VmKey | undefined;
  readonly #line: MachineLine;

  /** Nothing of the site is used before the first call; `mode` is what the line carries, `kernel` has names. */
  constructor(
    private readonly site: MonitorSite,
    private readonly mode: VirtualHypervisorsOptions["line"],
    private readonly machines: VirtualMachines,
    private readonly kernel: Kernel,
  ) {
    this.#line = new MachineLine(site);
  }

  /** Whether what is typed makes an interrupt. */
  listen(cpu: Cpu, isOn: boolean): void {
    this.#line.listen(cpu, isOn);
  }

  /** What was typed goes to the console that is attached. */
  receive(cpu: Cpu): void {
    const typed = this.#line.take(cpu), vm = this.attached && this.machines.find(this.attached);
    if (typed.length > 0) vm?.inputs.push({ at: 0, bytes: typed });
  }

  /** A console has written a byte: the CPU is at EL2. */
  transmitted(vm: VirtualMachine, byte: number): void {
    vm.keep(byte);
    const cpu = this.site.cpus[0] as Cpu;
    const isAttached = this.attached !== undefined && keyOf(this.attached) === keyOf(vm);
    if (this.mode === "attached" && isAttached) this.#line.write(cpu, [byte]);
    if (this.mode !== "tagged") return;
    const name = `${this.kernel.instance(vm.instance).name}/${this.kernel.vm(vm).name}`;
    this.#line.writeTagged(cpu, vm.line, byte, name);
  }
}
