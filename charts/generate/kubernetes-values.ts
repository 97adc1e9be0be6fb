/** The values that only Kubernetes knows: pods, scaling and networks. */
import {
  BOOLEAN,
  choice,
  integer,
  NUMBER_OR_SHARE,
  OBJECT,
  OBJECTS,
  type Schema,
  TEXT,
  TEXT_BY_NAME,
  type ValueGroup,
} from './value.ts'

const row = (path: string, byDefault: unknown, schema: Schema, meaning: string) => ({
  path,
  default: byDefault,
  schema,
  meaning,
})

const IMAGE: ValueGroup = {
  title: 'Image',
  values: [
    row('image.repository', 'ghcr.io/ahasend/ahasend-smtp-proxy', TEXT, 'Image of the proxy.'),
    row('image.tag', '', TEXT, 'Tag of the image. Default: the `appVersion` of the chart.'),
    row(
      'image.digest',
      '',
      { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
      'Digest of the image. Replaces the tag.',
    ),
    row('image.pullPolicy', 'IfNotPresent', choice('IfNotPresent', 'Always', 'Never'), 'When nodes pull the image.'),
    row('imagePullSecrets', [], OBJECTS, 'Secrets for a private registry: `[{name: registry}]`.'),
  ],
}

const SCALING: ValueGroup = {
  title: 'Replicas, rollouts and scaling',
  values: [
    row(
      'replicaCount',
      2,
      integer(0),
      'Number of pods. Limits such as `PROXY_MAX_SESSIONS` apply to each pod separately.',
    ),
    row(
      'strategy',
      { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      OBJECT,
      'How a rollout replaces pods. By default, a new pod is ready before an old one drains.',
    ),
    row('minReadySeconds', 5, integer(0), 'How long a new pod must be ready before the rollout continues.'),
    row('revisionHistoryLimit', 5, integer(0), 'Number of old versions to keep.'),
    row(
      'preStopSleepSeconds',
      5,
      integer(0),
      'How long a pod that Kubernetes stops continues to serve, until every node knows that it is stopping. The grace period of the pod is this time plus `PROXY_STOP_GRACE`, which is by default 30s longer than `PROXY_DRAIN_TIMEOUT`.',
    ),
    row(
      'podDisruptionBudget.enabled',
      true,
      BOOLEAN,
      'Limits how many pods Kubernetes stops at a time when it drains nodes.',
    ),
    row(
      'podDisruptionBudget.maxUnavailable',
      1,
      NUMBER_OR_SHARE,
      'Maximum number or percentage of pods that are stopped at a time.',
    ),
    row('autoscaling.enabled', false, BOOLEAN, 'Lets a HorizontalPodAutoscaler set the number of pods.'),
    row('autoscaling.minReplicas', 2, integer(1), 'Minimum number of pods.'),
    row('autoscaling.maxReplicas', 6, integer(1), 'Maximum number of pods.'),
    row(
      'autoscaling.targetCPUUtilizationPercentage',
      70,
      integer(1),
      'Percentage of the requested CPU above which Kubernetes adds pods.',
    ),
    row('autoscaling.metrics', [], OBJECTS, 'Additional metrics of the HorizontalPodAutoscaler.'),
    row(
      'autoscaling.behavior',
      { scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }] } },
      OBJECT,
      'How fast the HorizontalPodAutoscaler adds and removes pods. Each removed pod closes the connections of its apps.',
    ),
  ],
}

const POD: ValueGroup = {
  title: 'Pod',
  values: [
    row(
      'resources',
      { requests: { cpu: '100m', memory: '192Mi' }, limits: { memory: '1536Mi' } },
      OBJECT,
      'Resources of the container. A session needs about 100 KB: the limit is enough for the default of `PROXY_MAX_SESSIONS`. A CPU limit would delay replies.',
    ),
    row('startupProbe', { periodSeconds: 1, failureThreshold: 60 }, OBJECT, 'Timing of the check at start (`/livez`).'),
    row(
      'livenessProbe',
      { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      OBJECT,
      'Timing of the check that restarts a pod (`/livez`). It does not depend on AhaSend.',
    ),
    row(
      'readinessProbe',
      { periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 2 },
      OBJECT,
      'Timing of the check that takes a pod out of the Services (`/readyz`). It does not depend on AhaSend.',
    ),
    row(
      'podSecurityContext',
      {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      OBJECT,
      'Security context of the pods. The image is made for the user 1000.',
    ),
    row(
      'securityContext',
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      OBJECT,
      'Security context of the containers.',
    ),
    row('serviceAccount.create', true, BOOLEAN, 'Creates a service account without a token.'),
    row(
      'serviceAccount.name',
      '',
      TEXT,
      'Name of the service account. Default: the full name of the release, or `default` if none is created.',
    ),
    row('serviceAccount.annotations', {}, TEXT_BY_NAME, 'Annotations of the service account.'),
    row(
      'topologySpreadConstraints',
      [
        { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
        { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
      ],
      OBJECTS,
      'How Kubernetes spreads the pods over nodes and zones. The chart adds `labelSelector` and `matchLabelKeys`.',
    ),
    row('affinity', {}, OBJECT, 'Affinity of the pods.'),
    row('nodeSelector', {}, TEXT_BY_NAME, 'Labels of the nodes for the pods.'),
    row('tolerations', [], OBJECTS, 'Taints that the pods tolerate.'),
    row('priorityClassName', '', TEXT, 'Priority of the pods.'),
    row('dnsConfig', {}, OBJECT, 'DNS settings of the pods.'),
    row('podLabels', {}, TEXT_BY_NAME, 'Labels of the pods.'),
    row('podAnnotations', {}, TEXT_BY_NAME, 'Annotations of the pods.'),
    row('deploymentAnnotations', {}, TEXT_BY_NAME, 'Annotations of the Deployment.'),
    row('extraVolumes', [], OBJECTS, 'Additional volumes of the pods, such as a certificate authority.'),
    row('extraVolumeMounts', [], OBJECTS, 'Mounts of these volumes in the container.'),
  ],
}

const NETWORK: ValueGroup = {
  title: 'Network policy',
  values: [
    row('networkPolicy.enabled', false, BOOLEAN, 'Restricts the connections from and to the pods.'),
    row('networkPolicy.clients', [], OBJECTS, 'Peers that may send mail. Empty = all.'),
    row(
      'networkPolicy.monitoring',
      [],
      OBJECTS,
      'Peers that may scrape the metrics. Empty = none. The admin server has no login.',
    ),
    row('networkPolicy.extraIngress', [], OBJECTS, 'Additional rules for connections to the pods.'),
    row(
      'networkPolicy.egress.enabled',
      true,
      BOOLEAN,
      'Restricts connections from the pods to DNS and to the ports in `PROXY_UPSTREAM` and in the OTLP endpoints of `settings`.',
    ),
    row('networkPolicy.egress.extra', [], OBJECTS, 'Additional rules for connections from the pods.'),
  ],
}

const NAMES: ValueGroup = {
  title: 'Names and labels',
  values: [
    row('nameOverride', '', TEXT, 'Replaces the name of the chart in names and labels.'),
    row('fullnameOverride', '', TEXT, 'Replaces the whole name of the objects.'),
    row('commonLabels', {}, TEXT_BY_NAME, 'Labels of all objects and pods.'),
    row('commonAnnotations', {}, TEXT_BY_NAME, 'Annotations of all objects and pods.'),
  ],
}

/** What the chart tells Kubernetes besides the settings of the proxy. */
export const KUBERNETES_VALUES: readonly ValueGroup[] = [SCALING, POD, NETWORK, IMAGE, NAMES]
