/** Scheduling: when the one on the CPU has had its turn, who is next, who wakes, and who is turned off. */
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { Consoles } from "./consoles.ts";
import { VIRTUAL_LINES } from "./interrupts.ts";
import type { Kernel } from "./kernel.ts";
import { type Instance, keyOf, type VmKey, type VmObject } from "./objects.ts";
import { NEVER, type OwnTime } from "./own_time.ts";
import type { PhysicalInterrupts } from "./physical_interrupts.ts";
import { admit, charge, choose } from "./resources.ts";
import type { VirtualMachine } from "./virtual_machine.ts";
import type { VirtualMachines } from "./virtual_machines.ts";
import type { WorldSwitch } from "./world_switch.ts";

/** What is scheduled, and by what. */
export interface SchedulerParts {
  /** The monitor's. */
  readonly site: MonitorSite;
  /** Who there is, and whose turn it is by its share. */
  readonly kernel: Kernel;
  /** Those that are on. */
  readonly machines: VirtualMachines;
  /** The time of the one on the CPU. */
  readonly time: OwnTime;
  /** The physical ones. */
  readonly interrupts: PhysicalInterrupts;
  /** What is typed wakes those that wait. */
  readonly consoles: Consoles;
  /** Who is on the CPU. */
  readonly world: WorldSwitch;
}

/** The scheduler of one PE. */
export class Scheduler {
  /** Virtual machines that are to go when they are off the CPU, as `keyOf` has them. */
  stopping: Set<number> = new Set();
  /** What the exit asks for: the one on the CPU waits, or its quantum is over, or it is off. */
  #turnIsOver = false;
  /** The CPU is at EL2. */
  #isHandling = false;
  readonly #parts: SchedulerParts;

  /** Nothing of the parts is used before the first call. */
  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** The CPU comes to EL2. */
  entered(): void {
    this.#turnIsOver = false;
    this.#isHandling = true;
  }

  /** The CPU has left EL2. */
  left(): void {
    this.#isHandling = false;
  }

  /** The one on the CPU is not to go on at once. */
  endTurn(): void {
    this.#turnIsOver = true;
  }

  /** The one on the CPU waits for an interrupt. */
  idle(): void {
    this.#parts.world.running.isIdle = true;
    this.endTurn();
  }

  /** One can run again, or there is something for it: it has its turn, and a CPU that waits is told. */
  resume(instance: Instance, vm: VmObject): void {
    const { site, kernel, machines, world } = this.#parts;
    const machine = machines.findObject(instance, vm);
    if (machine === undefined) return;
    if (machine !== world.current) admit(kernel.state, instance, vm, (one) => this.#canRun(instance, one));
    world.awake(site.cpus[0] as Cpu);
  }

  #canRun(instance: Instance, vm: VmObject): boolean {
    const machine = this.#parts.machines.findObject(instance, vm);
    return machine !== undefined && vm.isOn && !vm.isPaused && !machine.isIdle;
  }

  /**
   * Takes what one has of the machine; `vcpu` is the one it may be on. At once: who is told that it is off may delete
   * it, and nobody may be told whether it was on the CPU.
   */
  stop(vcpu: Vcpu, key: VmKey): void {
    const { world } = this.#parts, { current } = world;
    const isCurrent = current !== undefined && keyOf(current) === keyOf(key);
    if (isCurrent && this.#isHandling) {
      this.stopping.add(keyOf(key));
      return this.endTurn();
    }
    if (isCurrent) {
      this.#account(current);
      world.halt(vcpu);
    }
    this.#end(key);
  }

  #end(key: VmKey): void {
    const { site, kernel, machines } = this.#parts, machine = machines.find(key);
    if (machine === undefined) return;
    machines.end(machine);
    this.stopping.delete(keyOf(key));
    const { instance, vm } = machine;
    site.events.emit("vmEnded", 0, { instance, vm, outcome: kernel.vm(machine).outcome });
  }

  /** Before the CPU leaves EL2: whoever is next is on it, and CNTHP has its deadline. */
  returning(vcpu: Vcpu): void {
    const { time, interrupts, world } = this.#parts, { cpu } = vcpu;
    cpu.monitor.clear("exceptionReturn");
    const vm = world.current;
    if (vm !== undefined) this.#passTime(vcpu, vm);
    if (vm === undefined || this.#turnIsOver) this.#schedule(vcpu);
    const next = world.current;
    if (next === undefined) return;
    interrupts.openTimer(cpu, !next.timerLevel);
    vcpu.change("HCR_EL2", next.interrupts.lines, VIRTUAL_LINES);
    time.program(vcpu, next.deadline(time.now) + time.offset);
  }

  /** What is due in the time of the one on the CPU. */
  #passTime(vcpu: Vcpu, vm: VirtualMachine): void {
    const { site, time, world } = this.#parts;
    world.sample(vcpu);
    const ownTime = time.now, isTick = ownTime >= vm.nextTick;
    if (isTick) {
      vm.ticked(time.next);
      site.events.emit("vcpuTicked", vcpu.index, { ownTime });
      this.endTurn();
    }
    world.deliver(vcpu, vm, ownTime, isTick);
    if (vm.interrupts.lines !== 0n) vm.isIdle = false;
  }

  /** Somebody else's turn, or the same one's again. */
  #schedule(vcpu: Vcpu): void {
    const { kernel, machines, consoles, world } = this.#parts, vm = world.current;
    if (vm !== undefined) this.#account(vm);
    if (vm !== undefined && this.stopping.has(keyOf(vm))) {
      world.unload(vcpu);
      this.#end(vm);
    } else if (vm?.isIdle === true) world.unload(vcpu);
    consoles.receive(vcpu.cpu);
    this.#wakeIdle();
    const chosen = choose(kernel.state, (instance, one) => this.#canRun(instance, one));
    const next = chosen && machines.findObject(chosen.instance, chosen.vm);
    if (next === world.current && next !== undefined) return;
    if (world.current !== undefined) world.unload(vcpu);
    if (next !== undefined) world.load(vcpu, next);
    else this.#waitForSomebody(vcpu);
  }

  /** What the one on the CPU has used since it was asked last. */
  #account(vm: VirtualMachine): void {
    const { kernel, time } = this.#parts;
    charge(kernel.instance(vm.instance), kernel.vm(vm), time.account());
  }

  /** Those that wait and whose time has come, by the machine's, go on at their own. */
  #wakeIdle(): void {
    const { kernel, machines, time: { step, machineNext: next } } = this.#parts;
    for (const vm of machines.all) {
      if (!vm.isIdle) continue;
      // In the step that it wakes in it is that time, which its first step is behind.
      const at = vm.wakes(step) + step, typed = vm.inputs.some(({ at }) => at === 0);
      const isDue = at + vm.idleOffset <= next;
      if (!typed && !isDue) continue;
      const instance = kernel.instance(vm.instance);
      vm.wake(isDue ? at : Math.max(vm.time, next - vm.idleOffset));
      admit(kernel.state, instance, kernel.vm(vm), (one) => this.#canRun(instance, one));
    }
  }

  /** Nobody can run: the CPU waits for the first that will; when all that were on have ended, that is the end. */
  #waitForSomebody(vcpu: Vcpu): void {
    const { machines, time: { step }, world } = this.#parts;
    if (machines.count === 0 && machines.hasRun) return this.#powerOff(vcpu);
    const idle = machines.all.filter(({ isIdle }) => isIdle);
    world.wait(vcpu, Math.min(NEVER, ...idle.map((vm) => vm.wakes(step) + vm.idleOffset)));
  }

  /** The machine's own end is not its last guest's: that one cannot know whether it is the last. */
  #powerOff(vcpu: Vcpu): void {
    const SYSTEM_OFF = 0x8400_0008n, { cpu } = vcpu;
    this.#parts.world.tellNobody(vcpu);
    cpu.registers.setX(0, SYSTEM_OFF);
    this.#parts.site.firmwareCall(cpu);
  }
}
