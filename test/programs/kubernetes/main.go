// A Kubernetes API server with its etcd in one process: it checks manifests, and runs nothing. The first argument is a
// directory for etcd. All others are arguments of kube-apiserver.
package main

import (
	"log"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	directory := os.Args[1]
	etcd, err := embed.StartEtcd(configuration(directory))
	if err != nil {
		log.Fatal(err)
	}
	<-etcd.Server.ReadyNotify()
	command := app.NewAPIServerCommand()
	command.SetArgs(append(os.Args[2:], "--etcd-servers=unix://"+filepath.Join(directory, "client")))
	os.Exit(cli.Run(command))
}

// configuration uses sockets in the directory instead of ports.
func configuration(directory string) *embed.Config {
	config := embed.NewConfig()
	config.Dir = filepath.Join(directory, "data")
	config.LogLevel = "error"
	client := url.URL{Scheme: "unix", Path: filepath.Join(directory, "client")}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(directory, "peer")}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	return config
}
