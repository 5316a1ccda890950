/**
 * World switch: who is on the CPU, and how another one comes there. Everything of EL1 and EL0 changes, with VTTBR_EL2
 * and CNTVOFF_EL2 (Arm ARM D8.2, D12.2.3); where nobody can run, the CPU waits at EL1 for an interrupt of EL2.
 */
import { NANOSECONDS_PER_COUNT } from "../../../machine/clock.ts";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Vcpu } from "../../vcpu.ts";
import type { Consoles } from "./consoles.ts";
import { loadContext, saveContext, STARTING_STATE } from "./context.ts";
import { VIRTUAL_LINES } from "./interrupts.ts";
import type { Leak } from "./options.ts";
import type { OwnTime } from "./own_time.ts";
import type { PhysicalInterrupts } from "./physical_interrupts.ts";
import { QUANTUM, type VirtualMachine } from "./virtual_machine.ts";

/** The one CPU, and the virtual machine on it. */
export class WorldSwitch {
  /** The one that is on the CPU. */
  current: VirtualMachine | undefined;
  /** The CPU waits, since nobody can run. */
  isWaiting = true;

  /** Nothing of the site is used before the first call; `leak` is what is planted. */
  constructor(
    private readonly site: MonitorSite,
    private readonly leak: Leak | undefined,
    private readonly time: OwnTime,
    private readonly interrupts: PhysicalInterrupts,
    private readonly consoles: Consoles,
  ) {}

  /** The one on the CPU where there must be one; throws RangeError when there is none. */
  get running(): VirtualMachine {
    if (this.current === undefined) throw new RangeError("There is no virtual machine on the CPU");
    return this.current;
  }

  /** Power-on: nobody is on the CPU. */
  reset(): void {
    this.current = undefined;
    this.isWaiting = true;
  }

  /** Its timers as they are, before anything is asked of its interrupt controller, and behind every exit. */
  sample(vcpu: Vcpu): void {
    this.current?.driveTimers(this.time.now, vcpu.get("CNTV_CTL_EL0"));
  }

  /** Gives its console what is to come at its own time: `isTick` also what is for no time. */
  deliver(vcpu: Vcpu, vm: VirtualMachine, time: number, isTick: boolean): void {
    vm.deliver(
      time,
      isTick,
      (bytes) => this.site.events.emit("vmConsoleReceived", vcpu.index, { ownTime: time, bytes }),
    );
  }

  /** Takes the one on the CPU off it. */
  unload(vcpu: Vcpu): void {
    const vm = this.running;
    vm.time = this.time.next;
    vm.steps = this.time.steps;
    vm.idleOffset = this.time.offset;
    vm.context = saveContext(vcpu);
    this.current = undefined;
  }

  /** Takes the one on the CPU off it between two steps, and leaves nothing of it; the next step goes to EL2. */
  halt(vcpu: Vcpu): void {
    this.current = undefined;
    this.isWaiting = true;
    vcpu.set("CNTV_CTL_EL0", 0n);
    vcpu.change("HCR_EL2", 0n, VIRTUAL_LINES);
    this.tellNobody(vcpu);
    this.interrupts.kick(vcpu.cpu);
  }

  /** What follows is nobody's. */
  tellNobody({ index }: Vcpu): void {
    this.site.events.emit("vcpuEntered", index, { instance: 0, vm: 0, vcpu: 0, base: 0, ownTime: 0 });
  }

  /** Puts one on the CPU, where nobody is. */
  load(vcpu: Vcpu, vm: VirtualMachine): void {
    this.interrupts.drain(vcpu);
    if (this.isWaiting) this.#setWaiting(vcpu, false);
    // Counts and steps fall together as they would have without a break.
    const behind = (this.time.machineNext - vm.time) % NANOSECONDS_PER_COUNT;
    if (behind !== 0 && this.leak !== "phase") this.site.clock.charge(NANOSECONDS_PER_COUNT - behind);
    this.time.goOn(vm.time, vm.steps);
    this.current = vm;
    if (this.leak === "quantum") vm.nextTick -= this.time.offset % (QUANTUM / 2);
    this.#tellEntered(vcpu, vm);
    if (this.leak !== "counter") {
      vcpu.set("CNTVOFF_EL2", BigInt(Math.floor(this.time.offset / NANOSECONDS_PER_COUNT)));
    }
    vcpu.set("VTCR_EL2", vm.memory.stage2.vtcr);
    vcpu.set("VTTBR_EL2", vm.memory.stage2.vttbr);
    const kept = this.leak === "register" ? vcpu.get("TPIDRRO_EL0") : undefined;
    loadContext(vcpu, vm.context as BigUint64Array<ArrayBuffer>);
    if (kept !== undefined) vcpu.set("TPIDRRO_EL0", kept);
    vm.context = undefined;
    this.deliver(vcpu, vm, this.time.now, true);
    this.sample(vcpu);
  }

  #tellEntered({ index }: Vcpu, { instance, vm, time, memory: { blocks } }: VirtualMachine): void {
    const { events } = this.site, { base } = this.time;
    if (time === 0) events.emit("vmStarted", index, { instance, vm, blocks: [...blocks] });
    events.emit("vcpuEntered", index, { instance, vm, vcpu: 0, base, ownTime: time });
  }

  /** Nobody can run: the CPU waits until the machine's time is `wake`, or for the operator. */
  wait(vcpu: Vcpu, wake: number): void {
    const { cpu } = vcpu;
    if (!this.isWaiting) this.tellNobody(vcpu);
    this.#setWaiting(vcpu, true);
    vcpu.change("HCR_EL2", 0n, VIRTUAL_LINES);
    vcpu.returnAddress = 0n;
    vcpu.savedState = STARTING_STATE;
    this.time.program(vcpu, wake);
    cpu.waiting = "interrupt";
    cpu.attention = true;
    this.site.events.emit("cpuIdled", cpu.index, { waiting: "interrupt" });
  }

  /** While the CPU waits, what is typed on the machine's line ends that. */
  #setWaiting({ cpu }: Vcpu, isWaiting: boolean): void {
    this.isWaiting = isWaiting;
    this.interrupts.openLine(cpu, isWaiting);
    this.consoles.listen(cpu, isWaiting);
  }

  /** Has a CPU that waits come to EL2. */
  awake(cpu: Cpu): void {
    if (this.isWaiting && cpu.on && cpu.waiting !== "none") this.interrupts.kick(cpu);
  }
}
