package main

import (
	"log/slog"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	temporalconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// These are stored in the database at its first start and must stay the same ever after.
const (
	clusterName   = "active"
	clusterID     = "0b6f3bd1-5a1c-4a3a-9d0e-77696e6e6f77"
	historyShards = 1 // more would run in parallel, and all wait for the one connection
)

// startTemporal starts Temporal's four services on the database.
func startTemporal(sql *temporalconfig.SQL, p ports, inner internalPorts, log *slog.Logger) (temporal.Server, error) {
	conf := temporalConfig(sql, p, inner)
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(p, inner)),
		temporal.WithLogger(temporalLogger{log}),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*temporalconfig.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(tuning()),
	)
	if err != nil {
		return nil, err
	}
	return server, server.Start()
}

// tuning is what differs from Temporal's defaults, which are made for clusters.
func tuning() dynamicconfig.Client {
	return dynamicconfig.StaticClient{
		// Priorities and fairness keys: a large job does not starve a small one.
		dynamicconfig.MatchingUseNewMatcher.Key():  true,
		dynamicconfig.MatchingEnableFairness.Key(): true,
		// One partition a queue: there is one host, and order by priority is exact.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// Workflow states held in memory, instead of 128,000.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8192,
		// Listing workflows, instead of 10 a second.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
}

func temporalConfig(sql *temporalconfig.SQL, p ports, inner internalPorts) *temporalconfig.Config {
	const store = "sqlite"
	conf := &temporalconfig.Config{
		Persistence: temporalconfig.Persistence{
			DefaultStore:     store,
			VisibilityStore:  store,
			NumHistoryShards: historyShards,
			DataStores:       map[string]temporalconfig.DataStore{store: {SQL: sql}},
		},
		ClusterMetadata: localCluster(p),
		Services: map[string]temporalconfig.Service{
			string(primitives.FrontendService): service(p.Temporal),
			string(primitives.HistoryService):  service(inner.history),
			string(primitives.MatchingService): service(inner.matching),
			string(primitives.WorkerService):   service(inner.worker),
		},
		PublicClient: temporalconfig.PublicClient{HostPort: address(p.Temporal)},
	}
	conf.Global.Membership.MaxJoinDuration = 30 * time.Second
	conf.Global.Membership.BroadcastAddress = loopback
	conf.DCRedirectionPolicy.Policy = "noop"
	withoutArchival(conf)
	return conf
}

func localCluster(p ports) *cluster.Config {
	return &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
			Enabled:                true,
			InitialFailoverVersion: 1,
			RPCAddress:             address(p.Temporal),
			ClusterID:              clusterID,
		}},
	}
}

func withoutArchival(conf *temporalconfig.Config) {
	const disabled = "disabled"
	conf.Archival.History.State = disabled
	conf.Archival.Visibility.State = disabled
	conf.NamespaceDefaults.Archival.History.State = disabled
	conf.NamespaceDefaults.Archival.Visibility.State = disabled
}

func service(port int) temporalconfig.Service {
	return temporalconfig.Service{RPC: temporalconfig.RPC{GRPCPort: port, BindOnIP: loopback}}
}

// staticHosts says where each service is, so that no gossip ring is needed to find out.
func staticHosts(p ports, inner internalPorts) map[primitives.ServiceName]static.Hosts {
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(address(p.Temporal)),
		primitives.HistoryService:  static.SingleLocalHost(address(inner.history)),
		primitives.MatchingService: static.SingleLocalHost(address(inner.matching)),
		primitives.WorkerService:   static.SingleLocalHost(address(inner.worker)),
	}
}
