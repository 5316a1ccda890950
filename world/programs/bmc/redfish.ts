/**
 * The resources of the management controller, in the form of DMTF's Redfish (DSP0266; schemas Task, UpdateService,
 * VirtualMedia, ComputerSystem, SoftwareInventory): what a client asks for and gets, checked by zod.
 */
import { z } from "zod";
import type { Task } from "./records.ts";

/** Paths of the resources. */
export const REDFISH = {
  ROOT: "/redfish/v1/",
  SYSTEM: "/redfish/v1/Systems/dpu",
  RESET: "/redfish/v1/Systems/dpu/Actions/ComputerSystem.Reset",
  UPDATE: "/redfish/v1/UpdateService",
  SIMPLE_UPDATE: "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate",
  INVENTORY: "/redfish/v1/UpdateService/FirmwareInventory/dpu",
  MEDIA: "/redfish/v1/Managers/bmc/VirtualMedia/dpu",
  INSERT: "/redfish/v1/Managers/bmc/VirtualMedia/dpu/Actions/VirtualMedia.InsertMedia",
  EJECT: "/redfish/v1/Managers/bmc/VirtualMedia/dpu/Actions/VirtualMedia.EjectMedia",
  TASKS: "/redfish/v1/TaskService/Tasks",
} as const;

/** States of a task (schema Task). */
export const TASK_STATES = ["New", "Running", "Completed", "Exception", "Cancelled"] as const;

const uri = z.string().max(1100);

/** Bodies of requests, by path. */
export const REQUEST_BODIES = {
  [REDFISH.SIMPLE_UPDATE]: z.strictObject({
    ImageURI: uri,
    TransferProtocol: z.literal("HTTP").optional(),
    Targets: z.array(z.literal(REDFISH.SYSTEM)).max(1).optional(),
    ForceUpdate: z.boolean().optional(),
  }),
  [REDFISH.INSERT]: z.strictObject({
    Image: uri,
    Inserted: z.literal(true).optional(),
    WriteProtected: z.literal(true).optional(),
    TransferProtocolType: z.literal("HTTP").optional(),
  }),
  [REDFISH.EJECT]: z.strictObject({}),
  [REDFISH.RESET]: z.strictObject({ ResetType: z.enum(["On", "ForceOff", "PowerCycle"]) }),
} as const;

const resource = { "@odata.id": z.string(), "@odata.type": z.string(), Id: z.string(), Name: z.string() };
const link = z.strictObject({ "@odata.id": z.string() });
const target = z.strictObject({ target: z.string() });

/** What the resources look like. */
export const RESOURCES = {
  root: z.strictObject({
    ...resource,
    RedfishVersion: z.string(),
    Systems: link,
    UpdateService: link,
    Tasks: link,
  }),
  system: z.strictObject({
    ...resource,
    SystemType: z.literal("DPU"),
    Model: z.string().nullable(),
    PowerState: z.enum(["On", "Off"]).nullable(),
    Actions: z.strictObject({ "#ComputerSystem.Reset": target }),
  }),
  update: z.strictObject({
    ...resource,
    ServiceEnabled: z.literal(true),
    FirmwareInventory: link,
    Actions: z.strictObject({ "#UpdateService.SimpleUpdate": target }),
  }),
  inventory: z.strictObject({ ...resource, Version: z.string().nullable(), Updateable: z.literal(true) }),
  media: z.strictObject({
    ...resource,
    Image: z.string().nullable(),
    Inserted: z.boolean(),
    Actions: z.strictObject({ "#VirtualMedia.InsertMedia": target, "#VirtualMedia.EjectMedia": target }),
  }),
  task: z.strictObject({
    ...resource,
    TaskState: z.enum(TASK_STATES),
    TaskStatus: z.enum(["OK", "Critical", "Warning"]),
    PercentComplete: z.int().min(0).max(100),
    Messages: z.array(z.strictObject({ MessageId: z.string(), Message: z.string() })),
  }),
  tasks: z.strictObject({ ...resource, Members: z.array(link), "Members@odata.count": z.int().min(0) }),
  error: z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) }),
} as const;

/** A resource by its schema. */
export type Resource<K extends keyof typeof RESOURCES> = z.infer<(typeof RESOURCES)[K]>;

const head = (path: string, type: string, id: string, name: string) => ({
  "@odata.id": path,
  "@odata.type": `#${type}`,
  Id: id,
  Name: name,
});

/** What the controller knows, as far as resources show it. */
export interface Shown {
  /** The DPU's model, when it has said so. */
  readonly model: string | undefined;
  /** Its power; null before anybody switched it or it spoke. */
  readonly isOn: boolean | null;
  /** The version that it last booted from non-volatile memory. */
  readonly version: number | undefined;
  /** The image at work. */
  readonly image: string | undefined;
  /** All tasks. */
  readonly tasks: readonly Task[];
}

/** A task's path. */
export function taskPath(id: number): string {
  return `${REDFISH.TASKS}/${id}`;
}

/** A task. */
export function taskResource({ id, state, percent, messages }: Task): Resource<"task"> {
  return {
    ...head(taskPath(id), "Task.v1_7_1.Task", String(id), `Task ${id}`),
    TaskState: state,
    TaskStatus: state === "Exception" ? "Critical" : state === "Cancelled" ? "Warning" : "OK",
    PercentComplete: percent,
    Messages: messages.map((Message) => ({ MessageId: "Hindsight.1.0.Step", Message })),
  };
}

/** The resource at a path; undefined where none is. */
export function resourceAt(path: string, shown: Shown): unknown {
  const at = path.length > REDFISH.ROOT.length ? path.replace(/\/$/, "") : path;
  const action = (path: string) => ({ target: path }), to = (path: string) => ({ "@odata.id": path });
  switch (at) {
    case "/redfish/v1":
    case REDFISH.ROOT:
      return {
        ...head(REDFISH.ROOT, "ServiceRoot.v1_15_0.ServiceRoot", "RootService", "Root Service"),
        RedfishVersion: "1.15.0",
        Systems: to(REDFISH.SYSTEM),
        UpdateService: to(REDFISH.UPDATE),
        Tasks: to(REDFISH.TASKS),
      } satisfies Resource<"root">;
    case REDFISH.SYSTEM:
      return {
        ...head(REDFISH.SYSTEM, "ComputerSystem.v1_20_0.ComputerSystem", "dpu", "DPU"),
        SystemType: "DPU",
        Model: shown.model ?? null,
        PowerState: shown.isOn === null ? null : shown.isOn ? "On" : "Off",
        Actions: { "#ComputerSystem.Reset": action(REDFISH.RESET) },
      } satisfies Resource<"system">;
    case REDFISH.UPDATE:
      return {
        ...head(REDFISH.UPDATE, "UpdateService.v1_11_3.UpdateService", "UpdateService", "Update Service"),
        ServiceEnabled: true,
        FirmwareInventory: to(REDFISH.INVENTORY),
        Actions: { "#UpdateService.SimpleUpdate": action(REDFISH.SIMPLE_UPDATE) },
      } satisfies Resource<"update">;
    case REDFISH.INVENTORY:
      return {
        ...head(REDFISH.INVENTORY, "SoftwareInventory.v1_10_0.SoftwareInventory", "dpu", "Management OS"),
        Version: shown.version === undefined ? null : String(shown.version),
        Updateable: true,
      } satisfies Resource<"inventory">;
    case REDFISH.MEDIA:
      return {
        ...head(REDFISH.MEDIA, "VirtualMedia.v1_6_0.VirtualMedia", "dpu", "Volatile disk of the DPU"),
        Image: shown.image ?? null,
        Inserted: shown.image !== undefined,
        Actions: {
          "#VirtualMedia.InsertMedia": action(REDFISH.INSERT),
          "#VirtualMedia.EjectMedia": action(REDFISH.EJECT),
        },
      } satisfies Resource<"media">;
    case REDFISH.TASKS:
      return {
        ...head(REDFISH.TASKS, "TaskCollection.TaskCollection", "Tasks", "Tasks"),
        Members: shown.tasks.map(({ id }) => to(taskPath(id))),
        "Members@odata.count": shown.tasks.length,
      } satisfies Resource<"tasks">;
  }
  const task = shown.tasks.find(({ id }) => at === taskPath(id));
  return task && taskResource(task);
}

/** An error, as Redfish has it. */
export function errorResource(message: string): Resource<"error"> {
  return { error: { code: "Base.1.15.GeneralError", message } };
}
