/**
 * Hierarchical resource groups: no limit is above the parent's, no use above any limit on the way up; and whose turn it
 * is, by stride scheduling at each level (C. Waldspurger, "Lottery and Stride Scheduling", MIT 1995).
 */
import {
  CallError,
  type Group,
  type Instance,
  type KernelState,
  type Limits,
  type VmObject,
} from "./objects.ts";

/** The group of a number. */
export function groupOf({ groups }: Instance, number: number): Group {
  const found = groups.find((group) => group.number === number);
  if (found === undefined) throw new RangeError(`Cannot find group ${number}: there is none`);
  return found;
}

/** A group and those above it, up to the instance's own. */
export function ancestry(instance: Instance, number: number): Group[] {
  const path: Group[] = [];
  for (let at: number | null = number; at !== null; at = path.at(-1)!.parent) {
    path.push(groupOf(instance, at));
  }
  return path;
}

/** Throws EINVAL when limits are above those of the parent. */
export function refuseAbove(limits: Limits, parent: Limits): void {
  const { pages, devices, share } = limits;
  if (pages > parent.pages || devices > parent.devices || share > parent.share) throw new CallError("EINVAL");
}

/** Takes pages (ENOMEM) and devices (EBUSY) from a group and those above it; throws CallError with nothing taken. */
export function take(instance: Instance, group: number, pages: number, devices: number): void {
  const path = ancestry(instance, group);
  if (path.some((one) => one.pages + pages > one.limits.pages)) throw new CallError("ENOMEM");
  if (path.some((one) => one.devices + devices > one.limits.devices)) throw new CallError("EBUSY");
  for (const one of path) {
    one.pages += pages;
    one.devices += devices;
  }
}

/** Gives them back. */
export function give(instance: Instance, group: number, pages: number, devices: number): void {
  for (const one of ancestry(instance, group)) {
    one.pages -= pages;
    one.devices -= devices;
  }
}

/** Changes limits: EINVAL above the parent's or below a child's, EBUSY below what is in use. */
export function setLimits(instance: Instance, group: Group, limits: Limits): void {
  if (group.parent !== null) refuseAbove(limits, groupOf(instance, group.parent).limits);
  for (const child of instance.groups) if (child.parent === group.number) refuseAbove(child.limits, limits);
  if (group.pages > limits.pages || group.devices > limits.devices) throw new CallError("EBUSY");
  group.limits = limits;
}

const shareOf = (node: Group | VmObject): number => "limits" in node ? node.limits.share : node.share;

/** Virtual nanoseconds that a virtual machine has run for count against it and all groups around it. */
export function charge(instance: Instance, vm: VmObject, nanoseconds: number): void {
  for (const node of [vm, ...ancestry(instance, vm.group)]) node.pass += nanoseconds / shareOf(node);
}

/** A virtual machine can run again, and has no claim from while it did not, nor have groups where none could. */
export function admit(
  state: KernelState,
  instance: Instance,
  vm: VmObject,
  canRun: (vm: VmObject) => boolean,
): void {
  let node: VmObject | Group = vm;
  for (const group of ancestry(instance, vm.group)) {
    node.pass = Math.max(node.pass, group.floor);
    const isInside = (one: VmObject): boolean => ancestry(instance, one.group).includes(group);
    if (instance.vms.some((one) => one !== vm && canRun(one) && isInside(one))) return;
    node = group;
  }
  node.pass = Math.max(node.pass, state.floor);
}

function least<T extends { readonly pass: number }>(nodes: readonly T[]): T | undefined {
  return nodes.reduce<T | undefined>(
    (best, node) => best === undefined || node.pass < best.pass ? node : best,
    undefined,
  );
}

/** Who runs next: at each level the one that has had least by its share, the first of equals. */
export function choose(
  state: KernelState,
  canRun: (instance: Instance, vm: VmObject) => boolean,
): { readonly instance: Instance; readonly vm: VmObject } | undefined {
  const able = state.instances.flatMap((instance) => {
    const vms = instance.vms.filter((vm) => canRun(instance, vm));
    const root = instance.groups[0] as Group;
    return vms.length === 0 ? [] : [{ instance, vms, root, pass: root.pass }];
  });
  const chosen = least(able);
  if (chosen === undefined) return undefined;
  state.floor = chosen.pass;
  const { instance, vms } = chosen;
  for (let group = chosen.root;;) {
    const inside = (vm: VmObject, of: Group): boolean => ancestry(instance, vm.group).includes(of);
    const groups = instance.groups.filter(({ parent }) => parent === group.number)
      .filter((child) => vms.some((vm) => inside(vm, child)));
    const next = least<Group | VmObject>([...groups, ...vms.filter((vm) => vm.group === group.number)]) as
      | Group
      | VmObject;
    group.floor = next.pass;
    if (!("limits" in next)) return { instance, vm: next };
    group = next;
  }
}
