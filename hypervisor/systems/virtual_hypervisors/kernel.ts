/**
 * The hypervisor kernel: who calls, what is in whose namespace, and what a call does to it. A caller names objects by
 * handles of its own instance; a handle of another one is as one that there never was.
 */
import { sha256 } from "../../../machine/sha256.ts";
import { type Calls, callSchema, INSTANCE_CALLS } from "./calls.ts";
import { type ManifestInstance, OPERATOR_CALLS, operatorSchema } from "./operator_calls.ts";
import {
  CallError,
  type Group,
  type Image,
  type Instance,
  kernelSchema,
  type KernelState,
  type VmKey,
  type VmObject,
} from "./objects.ts";
import type { VirtualMachine } from "./virtual_machine.ts";

/** What a call comes to. */
export interface Answer {
  /** Number of the instance whose credential it had; 0 for the operator, and for nobody's. */
  readonly instance: number;
  /** JSON: `{"ok":…}` or `{"error":"ENOENT"}`. */
  readonly text: string;
}

/** What the kernel has virtual machines run by. */
export interface Runner {
  /** Turns one on; throws CallError when its images do not fit in its memory. */
  start(instance: Instance, vm: VmObject, kernel: Image, initrd: Image | undefined): void;
  /** It can run again, or there is something for it: it has its turn. */
  resume(instance: Instance, vm: VmObject): void;
  /** Takes what it had of the machine: now, or when it is off the CPU. */
  stop(key: VmKey): void;
  /** One that is on. */
  running(key: VmKey): VirtualMachine | undefined;
  /** Bytes typed on the machine's line go to this one, or to none. */
  attach(key: VmKey | undefined): void;
  /** An image can be there: it is RAM that no virtual machine is given. */
  isStorage(image: Image): boolean;
  /** Tells that a management plane went down or came up. */
  planeChanged(instance: number, state: "crashed" | "restarted", generation: number): void;
}

/** Longest call and answer, in UTF-16 units. */
export const LONGEST_CALL = 4096;

const encoder = new TextEncoder();

/** The kernel of one machine. */
export class Kernel {
  state: KernelState = { operator: "", pages: 0, instances: [], floor: 0 };

  /** Nothing of `runner` is used before the first call. */
  constructor(readonly runner: Runner) {}

  /** The instance of a number; throws RangeError when there is none. */
  instance(number: number): Instance {
    const found = this.state.instances.find((one) => one.number === number);
    if (found === undefined) throw new RangeError(`There is no instance ${number}`);
    return found;
  }

  /** The virtual machine of a key. */
  vm({ instance, vm }: VmKey): VmObject {
    const found = this.instance(instance).vms.find((one) => one.number === vm);
    if (found === undefined) throw new RangeError(`There is no virtual machine ${instance}.${vm}`);
    return found;
  }

  /** A handle for something new in an instance: of its own credential and counter, so that nobody else's is in it. */
  handle(instance: Instance, kind: "group" | "vm"): string {
    const text = `${instance.credential}|${instance.generation}|${kind}|${instance.serial++}`;
    return `${kind[0]}${sha256(encoder.encode(text)).toHex().slice(0, 12)}`;
  }

  /** Makes a call: JSON with the caller's credential in `as`. */
  call(text: string): Answer {
    const caller = { instance: 0 };
    try {
      const ok = this.#dispatch(text, caller);
      return { ...caller, text: JSON.stringify({ ok }) };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      return { ...caller, text: JSON.stringify({ error: error.code }) };
    }
  }

  #dispatch(text: string, caller: { instance: number }): unknown {
    if (text.length > LONGEST_CALL) throw new CallError("EINVAL");
    const value = parseJson(text), { as: credential } = value;
    if (typeof credential !== "string" || credential === "") throw new CallError("EACCES");
    if (credential === this.state.operator) return this.#operate(value);
    const instance = this.state.instances.find((one) => one.credential === credential);
    if (instance === undefined) throw new CallError("EACCES");
    caller.instance = instance.number;
    this.#findOut(instance);
    const parsed = callSchema.safeParse(value);
    if (!parsed.success) throw new CallError("EINVAL");
    const { call } = parsed.data;
    return (INSTANCE_CALLS[call] as (kernel: Kernel, instance: Instance, data: Calls) => unknown)(
      this,
      instance,
      parsed.data,
    );
  }

  #operate(value: unknown): unknown {
    const parsed = operatorSchema.safeParse(value);
    if (!parsed.success) throw new CallError("EINVAL");
    const run = OPERATOR_CALLS[parsed.data.call] as (kernel: Kernel, data: typeof parsed.data) => unknown;
    return run(this, parsed.data);
  }

  /** Throws EIO where a management plane crashed; it is made anew from the kernel's objects then, with other handles. */
  #findOut(instance: Instance): void {
    if (!instance.isDown) return;
    instance.isDown = false;
    instance.generation++;
    for (const group of instance.groups) group.handle = this.handle(instance, "group");
    for (const vm of instance.vms) vm.handle = this.handle(instance, "vm");
    this.runner.planeChanged(instance.number, "restarted", instance.generation);
    throw new CallError("EIO");
  }

  /** The management plane of an instance is gone, its handles with it; what it made stays, and runs. */
  crash(instance: Instance): void {
    instance.isDown = true;
    this.runner.planeChanged(instance.number, "crashed", instance.generation);
  }

  /** A group of an instance by its handle or its name there, its own root without one; ENOENT. */
  groupNamed(instance: Instance, handle: string | undefined): Group {
    const found = handle === undefined
      ? instance.groups[0]
      : instance.groups.find((group) => group.handle === handle || group.name === handle);
    if (found === undefined) throw new CallError("ENOENT");
    return found;
  }

  /** A virtual machine of an instance by its handle or its name there; ENOENT. */
  vmNamed(instance: Instance, handle: string): VmObject {
    const found = instance.vms.find((vm) => vm.handle === handle || vm.name === handle);
    if (found === undefined) throw new CallError("ENOENT");
    return found;
  }

  /** An image of an instance by its name; ENOENT. */
  imageNamed(instance: Instance, name: string): Image {
    const found = instance.images.find((image) => image.name === name);
    if (found === undefined) throw new CallError("ENOENT");
    return found;
  }

  /** Makes what a manifest says, as its owner would by calls. */
  found(description: ManifestInstance): void {
    const { credential, vms, ...instance } = description;
    OPERATOR_CALLS.createInstance(this, { call: "createInstance", credential, ...instance });
    const call = (fields: object): { readonly handle: string } => {
      const answer = JSON.parse(this.call(JSON.stringify({ as: credential, ...fields })).text);
      if ("error" in answer) throw new CallError(answer.error);
      return answer.ok;
    };
    for (const { start, ...vm } of vms ?? []) {
      const { handle } = call({ call: "createVm", ...vm });
      if (start !== false) call({ call: "startVm", vm: handle });
    }
  }

  /** Everything, as JSON. */
  save(): Uint8Array {
    return encoder.encode(JSON.stringify(this.state));
  }

  /** Restores what `save` gave; throws RangeError when it is not that. */
  restore(bytes: Uint8Array): void {
    const parsed = kernelSchema.safeParse(parseJson(new TextDecoder().decode(bytes)));
    if (!parsed.success) {
      throw new RangeError(`Cannot restore the hypervisor's kernel: ${parsed.error.message}`);
    }
    this.state = parsed.data;
  }
}

/** The first free number from 1 on. */
export function freeNumber(taken: readonly { readonly number: number }[]): number {
  for (let number = 1;; number++) if (taken.every((one) => one.number !== number)) return number;
}

/** An object from JSON; EINVAL for what is none. */
function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CallError("EINVAL");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new CallError("EINVAL");
  return value as Record<string, unknown>;
}
