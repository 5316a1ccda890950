/** The calls of the machine's operator, and the manifest that makes instances at power-on. */
import { z } from "zod";
import type { Kernel } from "./kernel.ts";
import {
  BLOCK_PAGES,
  CallError,
  credentialSchema,
  imageSchema,
  type Instance,
  limitsSchema,
  MOST_INSTANCES,
  nameSchema,
} from "./objects.ts";
import { setLimits } from "./resources.ts";

const number = z.int().min(1).max(MOST_INSTANCES);
const instanceFields = {
  number,
  name: nameSchema,
  credential: credentialSchema,
  limits: limitsSchema,
  images: z.array(imageSchema).max(64),
};
const vmFields = z.strictObject({
  name: nameSchema,
  pages: z.int(),
  share: z.int().optional(),
  image: nameSchema,
  initrd: nameSchema.optional(),
  arguments: z.string().max(1024).optional(),
  /** Turned on at power-on, if not false. */
  start: z.boolean().optional(),
});

/** What is made at power-on: JSON in the machine's RAM. */
export const manifestSchema = z.strictObject({
  operator: z.string().min(4).max(64),
  instances: z.array(z.strictObject({ ...instanceFields, vms: z.array(vmFields).optional() })).max(
    MOST_INSTANCES,
  ),
});
/** A manifest. */
export type Manifest = z.infer<typeof manifestSchema>;
/** One instance of a manifest. */
export type ManifestInstance = Manifest["instances"][number];

const as = z.string();
/** A call of the operator, by its name in `call`. */
export const operatorSchema = z.discriminatedUnion("call", [
  z.strictObject({ as: as.optional(), call: z.literal("createInstance"), ...instanceFields }),
  z.strictObject({ as, call: z.literal("deleteInstance"), instance: number }),
  z.strictObject({ as, call: z.literal("limitInstance"), instance: number, limits: limitsSchema }),
  z.strictObject({ as, call: z.literal("crashPlane"), instance: number }),
  z.strictObject({ as, call: z.literal("attach"), instance: number.optional(), vm: z.string().optional() }),
  z.strictObject({ as, call: z.literal("instances") }),
]);
type Operator = z.infer<typeof operatorSchema>;
type Call<N extends Operator["call"]> = Omit<Extract<Operator, { call: N }>, "as">;
type Handlers = { readonly [N in Operator["call"]]: (kernel: Kernel, call: Call<N>) => unknown };

function named(kernel: Kernel, wanted: number): Instance {
  const found = kernel.state.instances.find((instance) => instance.number === wanted);
  if (found === undefined) throw new CallError("ENOENT");
  return found;
}

/** What instances can be given is theirs, whatever others have: whole blocks, in all not more than there are. */
function refuseOvercommitment(kernel: Kernel, pages: number, but?: Instance): void {
  const given = kernel.state.instances.filter((instance) => instance !== but)
    .reduce((sum, { groups }) => sum + (groups[0]?.limits.pages ?? 0), 0);
  if (pages % BLOCK_PAGES !== 0) throw new CallError("EINVAL");
  if (given + pages > kernel.state.pages) throw new CallError("ENOMEM");
}

function createInstance(kernel: Kernel, call: Call<"createInstance">): object {
  const { state } = kernel, { number, name, credential, limits, images } = call;
  const isTaken = credential === state.operator ||
    state.instances.some((one) =>
      one.number === number || one.name === name || one.credential === credential
    );
  if (isTaken) throw new CallError("EEXIST");
  refuseOvercommitment(kernel, limits.pages);
  if (!images.every((image) => kernel.runner.isStorage(image))) throw new CallError("EINVAL");
  const instance: Instance = {
    number,
    name,
    credential,
    serial: 0,
    generation: 0,
    isDown: false,
    images,
    groups: [],
    vms: [],
  };
  const handle = kernel.handle(instance, "group");
  instance.groups.push({
    number: 0,
    parent: null,
    name: "root",
    handle,
    limits,
    pages: 0,
    devices: 0,
    pass: state.floor,
    floor: 0,
  });
  state.instances.push(instance);
  state.instances.sort((a, b) => a.number - b.number);
  return {};
}

/** What each does; each throws CallError with nothing changed. */
export const OPERATOR_CALLS: Handlers = {
  createInstance,
  deleteInstance: (kernel, { instance: wanted }) => {
    const instance = named(kernel, wanted);
    const isLive = (vm: number): boolean => kernel.runner.running({ instance: wanted, vm }) !== undefined;
    if (instance.vms.some(({ isOn, number }) => isOn || isLive(number))) throw new CallError("EBUSY");
    kernel.state.instances = kernel.state.instances.filter((one) => one !== instance);
    return {};
  },
  limitInstance: (kernel, { instance: wanted, limits }) => {
    const instance = named(kernel, wanted), [root] = instance.groups;
    refuseOvercommitment(kernel, limits.pages, instance);
    if (root !== undefined) setLimits(instance, root, limits);
    return {};
  },
  crashPlane: (kernel, { instance }) => (kernel.crash(named(kernel, instance)), {}),
  attach: (kernel, { instance: wanted, vm: name }) => {
    if (wanted === undefined || name === undefined) {
      kernel.runner.attach(undefined);
      return {};
    }
    const vm = named(kernel, wanted).vms.find((one) => one.name === name);
    if (vm === undefined) throw new CallError("ENOENT");
    kernel.runner.attach({ instance: wanted, vm: vm.number });
    return {};
  },
  instances: ({ state }) =>
    state.instances.map(({ number, name, generation }) => ({ number, name, generation })),
};
