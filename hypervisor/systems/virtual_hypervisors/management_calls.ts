/** How calls reach the hypervisor kernel: HVC from a virtual machine, a command of the operator, a message on a port. */
import { InputRefusedError } from "../../../machine/errors.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import type { Vcpu } from "../../vcpu.ts";
import { type Answer, type Kernel, LONGEST_CALL } from "./kernel.ts";
import { keyOf } from "./objects.ts";
import { VIRTUAL_HYPERVISORS } from "./options.ts";
import type { Scheduler } from "./scheduler.ts";
import type { WorldSwitch } from "./world_switch.ts";

/** HVC #0x48: a call of the management plane, X0 and X1 address and length of it, X2 and X3 those of room for the answer. */
export const CALL_IMMEDIATE = 0x48;
/** Port of the machine on which calls come, and answers go. */
export const CALL_PORT = "management";

/** At most so much of a call and of an answer is told. */
const MOST_TOLD = 1000;

/** Calls on all ways; each is an event with its answer. */
export class ManagementCalls {
  /** Nothing of the parts is used before the first call. */
  constructor(
    private readonly site: MonitorSite,
    private readonly kernel: Kernel,
    private readonly world: WorldSwitch,
    private readonly scheduler: Scheduler,
  ) {}

  /** A call from within a virtual machine, which has the credential: the answer's length, or −1 for what is no call. */
  callFromGuest(vcpu: Vcpu): void {
    const vm = this.world.running,
      [at, size, to, room] = [0, 1, 2, 3].map((n) => Number(vcpu.x(n))) as [number, number, number, number];
    const request = size > 0 && size <= LONGEST_CALL ? vm.memory.read(at, size) : undefined;
    if (request === undefined) return vcpu.setX(0, -1n);
    const answer = this.#answer(new TextDecoder().decode(request), vm.vm);
    const reply = new TextEncoder().encode(answer.text);
    vcpu.setX(0, reply.length <= room && vm.memory.write(to, reply) ? BigInt(reply.length) : -1n);
    // It may have stopped itself.
    if (this.scheduler.stopping.has(keyOf(vm)) || this.kernel.vm(vm).isPaused) this.scheduler.endTurn();
  }

  /** A command is a call: JSON with a credential. Throws InputRefusedError for what is none. */
  prepareCommand(command: string): () => void {
    const text = command.trim();
    if (!text.startsWith(`${VIRTUAL_HYPERVISORS} {`)) {
      throw new InputRefusedError(
        `Cannot do that: a command is ${VIRTUAL_HYPERVISORS} {"as":CREDENTIAL,"call":…}`,
      );
    }
    return () => void this.#answer(text.slice(VIRTUAL_HYPERVISORS.length + 1), 0);
  }

  /** A message on the port is a call, and its answer is one; undefined for other ports. */
  prepareMessage(port: string, bytes: Uint8Array): (() => void) | undefined {
    if (port !== CALL_PORT) return undefined;
    return () => {
      const { text } = this.#answer(new TextDecoder().decode(bytes), 0);
      this.site.transmit(CALL_PORT, new TextEncoder().encode(text));
    };
  }

  /** `vm` is the number of the virtual machine on the CPU that calls; 0 from without. */
  #answer(text: string, vm: number): Answer {
    const answer = this.kernel.call(text);
    const { instance } = vm === 0 ? answer : this.world.running;
    this.site.events.emit("managementCalled", 0, {
      instance,
      vm,
      call: clip(text),
      answer: clip(answer.text),
    });
    return answer;
  }
}

function clip(text: string): string {
  return text.length > MOST_TOLD ? `${text.slice(0, MOST_TOLD)}…` : text;
}
