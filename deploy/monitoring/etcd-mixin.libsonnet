// etcd's mixin for a zkine: what of its rules holds here, as docs/metrics.md tells rule by rule.
//
//   jsonnet -J etcd/contrib/mixin -e "std.manifestYamlDoc((import 'etcd-mixin.libsonnet').prometheusAlerts)"
//
// Left out are rules about a quorum of members and the network between them, of which a zkine has neither. Which zkines they
// ask is etcd_selector, here those whose job has zkine in its name.
local leftOut = ['etcdInsufficientMembers', 'etcdMemberCommunicationSlow'];

(import 'config.libsonnet') + (import 'alerts/alerts.libsonnet') + {
  _config+:: { etcd_selector: 'job=~".*zkine.*"' },
  prometheusAlerts+:: {
    groups: [
      group { rules: [rule for rule in group.rules if !std.member(leftOut, rule.alert)] }
      for group in super.groups
    ],
  },
}
