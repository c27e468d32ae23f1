package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

// Password stands in the data of the Secret among the samples, and in no other place.
const password = "correct-horse-battery-staple"

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: "shop", UID: "6f1c1f3e-7d0a-4a5f-9d68-0b5f2a0c9a11", Generation: 1,
		CreationTimestamp: metav1.NewTime(time.Date(2026, 11, 28, 12, 3, 0, 0, time.UTC)),
		Labels:            map[string]string{"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "shop"},
	}
}

// samples are objects as a kube-apiserver stores them, for tests that have no types of Kubernetes'.
func samples() map[string]runtime.Object {
	managed := meta("web-0")
	managed.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/name":{}}}}`),
	}}
	secret := meta("db")
	secret.Annotations = map[string]string{
		corev1.LastAppliedConfigAnnotation: `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"stringData":{"password":"` + password + `"}}`,
		"short":                            "yes",
	}
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/name": "web"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "web", RestartPolicy: corev1.RestartPolicyAlways,
			Containers: []corev1.Container{{
				Name: "web", Image: "registry.example/web:1.4.2", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
				Env:            []corev1.EnvVar{{Name: "DB_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}, Key: "password"}}}},
				Resources:      corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("128Mi")}},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("http")}}, PeriodSeconds: 5},
			}},
		},
	}
	replicas, seconds := int32(3), int32(40)
	return map[string]runtime.Object{
		"pod":        &corev1.Pod{ObjectMeta: managed, Spec: pod.Spec, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.1.17"}},
		"secret":     &corev1.Secret{ObjectMeta: secret, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"password": []byte(password), "user": []byte("shop")}},
		"configmap":  &corev1.ConfigMap{ObjectMeta: meta("web"), Data: map[string]string{"web.conf": "listen 8080\nworkers 4\n"}},
		"deployment": &appsv1.Deployment{ObjectMeta: meta("web"), Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: pod}},
		"lease":      &coordinationv1.Lease{ObjectMeta: meta("web"), Spec: coordinationv1.LeaseSpec{LeaseDurationSeconds: &seconds, RenewTime: &metav1.MicroTime{Time: time.Date(2026, 11, 28, 12, 3, 0, 123456000, time.UTC)}}},
	}
}

// writeSamples writes a file for each.
func writeSamples(folder string) error {
	written := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	for name, object := range samples() {
		kinds, _, err := scheme.Scheme.ObjectKinds(object)
		if err != nil {
			return err
		}
		object.GetObjectKind().SetGroupVersionKind(kinds[0])
		var stored bytes.Buffer
		if err := written.Encode(object, &stored); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, strings.ToLower(name)+".pb"), stored.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
