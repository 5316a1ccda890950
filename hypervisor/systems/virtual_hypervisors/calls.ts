/** The calls of an instance's management plane: their schemas, and what each does within its own namespace. */
import { z } from "zod";
import { freeNumber, type Kernel } from "./kernel.ts";
import {
  BLOCK_PAGES,
  CallError,
  type Group,
  type Instance,
  MOST_GROUPS,
  MOST_VMS,
  nameSchema,
  type VmObject,
} from "./objects.ts";
import { give, refuseAbove, setLimits, take } from "./resources.ts";

const credential = z.string();
const handle = z.string().max(64);
const limit = z.int().min(0).max(2 ** 32 - 1), share = z.int().min(1).max(1_000_000);
const limits = { pages: limit.optional(), devices: limit.optional(), share: share.optional() };
/** Virtual nanoseconds. */
const time = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A call of an instance, by its name in `call`; `as` has the credential. */
export const callSchema = z.discriminatedUnion("call", [
  z.strictObject({ as: credential, call: z.literal("list") }),
  z.strictObject({ as: credential, call: z.literal("stat"), of: handle }),
  z.strictObject({
    as: credential,
    call: z.literal("createGroup"),
    parent: handle.optional(),
    name: nameSchema,
    ...limits,
  }),
  z.strictObject({ as: credential, call: z.literal("setLimits"), group: handle, ...limits }),
  z.strictObject({ as: credential, call: z.literal("deleteGroup"), group: handle }),
  z.strictObject({
    as: credential,
    call: z.literal("createVm"),
    group: handle.optional(),
    name: nameSchema,
    pages: limit,
    share: share.optional(),
    image: nameSchema,
    initrd: nameSchema.optional(),
    arguments: z.string().max(1024).optional(),
  }),
  z.strictObject({ as: credential, call: z.literal("startVm"), vm: handle }),
  z.strictObject({ as: credential, call: z.literal("pauseVm"), vm: handle }),
  z.strictObject({ as: credential, call: z.literal("resumeVm"), vm: handle }),
  z.strictObject({ as: credential, call: z.literal("stopVm"), vm: handle }),
  z.strictObject({ as: credential, call: z.literal("deleteVm"), vm: handle }),
  z.strictObject({
    as: credential,
    call: z.literal("writeConsole"),
    vm: handle,
    text: z.string().max(2048),
    at: time.optional(),
  }),
  z.strictObject({ as: credential, call: z.literal("readConsole"), vm: handle }),
  z.strictObject({ as: credential, call: z.literal("crash") }),
]);
/** A call. */
export type Calls = z.infer<typeof callSchema>;

type Call<N extends Calls["call"]> = Extract<Calls, { call: N }>;
type Handlers = {
  readonly [N in Calls["call"]]: (kernel: Kernel, instance: Instance, call: Call<N>) => unknown;
};

/** Bytes that wait for a console at most. */
const MOST_WAITING = 65536;
const encoder = new TextEncoder();

function limitsOf(group: Group): object {
  const { limits, pages, devices } = group;
  return { limits, used: { pages, devices } };
}

/** Not its time: how far a virtual machine has come depends on others, and that is nobody's to see. */
function describe({ name, pages, isOn, isPaused, outcome }: VmObject): object {
  return { name, pages, state: isOn ? (isPaused ? "paused" : "on") : outcome };
}

function createGroup(kernel: Kernel, instance: Instance, call: Call<"createGroup">): object {
  const parent = kernel.groupNamed(instance, call.parent), { limits: above } = parent;
  if (instance.groups.some(({ name }) => name === call.name)) throw new CallError("EEXIST");
  if (instance.groups.length >= MOST_GROUPS) throw new CallError("EBUSY");
  const limits = {
    pages: call.pages ?? above.pages,
    devices: call.devices ?? above.devices,
    share: call.share ?? above.share,
  };
  refuseAbove(limits, above);
  const group = {
    number: freeNumber(instance.groups),
    parent: parent.number,
    name: call.name,
    handle: kernel.handle(instance, "group"),
    limits,
    pages: 0,
    devices: 0,
    pass: parent.floor,
    floor: 0,
  };
  instance.groups.push(group);
  return { handle: group.handle };
}

function deleteGroup(kernel: Kernel, instance: Instance, call: Call<"deleteGroup">): object {
  const group = kernel.groupNamed(instance, call.group), { number } = group;
  const isUsed = instance.groups.some(({ parent }) => parent === number) ||
    instance.vms.some((vm) => vm.group === number);
  if (group.parent === null || isUsed) throw new CallError("EBUSY");
  instance.groups = instance.groups.filter((one) => one !== group);
  return {};
}

function createVm(kernel: Kernel, instance: Instance, call: Call<"createVm">): object {
  const group = kernel.groupNamed(instance, call.group);
  kernel.imageNamed(instance, call.image);
  if (call.initrd !== undefined) kernel.imageNamed(instance, call.initrd);
  if (instance.vms.some(({ name }) => name === call.name)) throw new CallError("EEXIST");
  if (call.pages === 0 || call.pages % BLOCK_PAGES !== 0) throw new CallError("EINVAL");
  if ((call.share ?? 1) > group.limits.share) throw new CallError("EINVAL");
  if (instance.vms.length >= MOST_VMS) throw new CallError("EBUSY");
  // Its console is its one device.
  take(instance, group.number, call.pages, 1);
  const vm: VmObject = {
    number: freeNumber(instance.vms),
    name: call.name,
    handle: kernel.handle(instance, "vm"),
    group: group.number,
    pages: call.pages,
    share: call.share ?? group.limits.share,
    image: call.image,
    initrd: call.initrd ?? null,
    arguments: call.arguments ?? "",
    isOn: false,
    isPaused: false,
    outcome: "new",
    pass: group.floor,
  };
  instance.vms.push(vm);
  return { handle: vm.handle };
}

function startVm(kernel: Kernel, instance: Instance, call: Call<"startVm">): object {
  const vm = kernel.vmNamed(instance, call.vm);
  if (vm.isOn || kernel.runner.running({ instance: instance.number, vm: vm.number }) !== undefined) {
    throw new CallError("EBUSY");
  }
  const initrd = vm.initrd === null ? undefined : kernel.imageNamed(instance, vm.initrd);
  kernel.runner.start(instance, vm, kernel.imageNamed(instance, vm.image), initrd);
  vm.isOn = true;
  vm.isPaused = false;
  kernel.runner.resume(instance, vm);
  return {};
}

function onVm(kernel: Kernel, instance: Instance, name: string): VmObject {
  const vm = kernel.vmNamed(instance, name);
  if (!vm.isOn) throw new CallError("EINVAL");
  return vm;
}

function deleteVm(kernel: Kernel, instance: Instance, call: Call<"deleteVm">): object {
  const vm = kernel.vmNamed(instance, call.vm);
  if (vm.isOn || kernel.runner.running({ instance: instance.number, vm: vm.number }) !== undefined) {
    throw new CallError("EBUSY");
  }
  give(instance, vm.group, vm.pages, 1);
  instance.vms = instance.vms.filter((one) => one !== vm);
  return {};
}

function writeConsole(kernel: Kernel, instance: Instance, call: Call<"writeConsole">): object {
  const vm = onVm(kernel, instance, call.vm);
  const running = kernel.runner.running({ instance: instance.number, vm: vm.number });
  const bytes = encoder.encode(call.text);
  const waiting = running?.inputs.reduce((sum, input) => sum + input.bytes.length + 16, 0) ?? 0;
  if (running === undefined || waiting + bytes.length > MOST_WAITING || running.inputs.length > 1000) {
    throw new CallError("EBUSY");
  }
  running.inputs.push({ at: call.at ?? 0, bytes });
  kernel.runner.resume(instance, vm);
  return {};
}

/** What each does; each throws CallError with nothing changed. */
export const INSTANCE_CALLS: Handlers = {
  list: (_, instance) => ({
    groups: instance.groups.map(({ name, handle }) => ({ name, handle })),
    vms: instance.vms.map(({ name, handle }) => ({ name, handle })),
    images: instance.images.map(({ name, size }) => ({ name, size })),
  }),
  stat: (kernel, instance, { of }) => {
    const group = instance.groups.find((one) => one.handle === of);
    return group === undefined ? describe(kernel.vmNamed(instance, of)) : limitsOf(group);
  },
  createGroup,
  setLimits: (kernel, instance, call) => {
    const group = kernel.groupNamed(instance, call.group), { limits } = group;
    const { pages = limits.pages, devices = limits.devices, share = limits.share } = call;
    // What it has of the machine is the operator's to say.
    if (group.parent === null) throw new CallError("EINVAL");
    setLimits(instance, group, { pages, devices, share });
    return {};
  },
  deleteGroup,
  createVm,
  startVm,
  pauseVm: (kernel, instance, { vm }) => (onVm(kernel, instance, vm).isPaused = true, {}),
  resumeVm: (kernel, instance, { vm }) => {
    const found = onVm(kernel, instance, vm);
    found.isPaused = false;
    kernel.runner.resume(instance, found);
    return {};
  },
  stopVm: (kernel, instance, { vm }) => {
    const found = onVm(kernel, instance, vm);
    found.isOn = false;
    found.outcome = "stopped";
    kernel.runner.stop({ instance: instance.number, vm: found.number });
    return {};
  },
  deleteVm,
  writeConsole,
  readConsole: (kernel, instance, { vm }) => {
    const found = onVm(kernel, instance, vm);
    const running = kernel.runner.running({ instance: instance.number, vm: found.number });
    return { text: new TextDecoder().decode(running?.log.slice(-1024)) };
  },
  crash: (kernel, instance) => (kernel.crash(instance), {}),
};
