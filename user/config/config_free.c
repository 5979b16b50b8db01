// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "config/read.h"

void config_texts_free(struct config_texts *texts)
{
	struct config_text *text;

	array_for_each(text, texts) {
		free(text->text);
		free(text->place);
	}
	array_clear(texts);
}

static void text_free(struct config_text *text)
{
	free(text->text);
	free(text->place);
}

static void endpoint_free(struct config_endpoint *endpoint)
{
	free(endpoint->host);
}

static void tunnel_free(struct config_tunnel *tunnel)
{
	free(tunnel->interface);
	free(tunnel->private_key_file);
	free(tunnel->netns);
	free(tunnel->place);
}

static void client_free(struct config_client *client)
{
	array_clear(&client->dns);
	config_texts_free(&client->search);
	array_clear(&client->allowed_ips);
	free(client->place);
}

static void probe_free(struct config_probe *probe)
{
	free(probe->protocol);
	free(probe->http_path);
	free(probe->place);
}

static void node_free(struct config_node *node)
{
	free(node->name);
	free(node->place);
	array_clear(&node->addresses);
	endpoint_free(&node->endpoint);
	text_free(&node->via);
	config_texts_free(&node->tags);
	array_clear(&node->advertise_routes);
	array_clear(&node->accept_routes);
	config_texts_free(&node->lan_interfaces);
	tunnel_free(&node->tunnel);
}

static void peer_free(struct config_peer *peer)
{
	free(peer->name);
	free(peer->place);
	array_clear(&peer->addresses);
	free(peer->user);
	config_texts_free(&peer->tags);
	free(peer->preshared_key_file);
	endpoint_free(&peer->endpoint);
	free(peer->gateway);
	client_free(&peer->client);
	array_clear(&peer->advertise_routes);
}

static void gateway_free(struct config_gateway *gateway)
{
	free(gateway->name);
	free(gateway->place);
	endpoint_free(&gateway->endpoint);
	config_texts_free(&gateway->nodes);
}

static void group_free(struct config_group *group)
{
	free(group->name);
	free(group->place);
	config_texts_free(&group->members);
}

static void host_free(struct config_host *host)
{
	free(host->name);
	free(host->place);
}

static void approver_free(struct config_approver *approver)
{
	free(approver->place);
	config_texts_free(&approver->who);
}

static void route_free(struct config_route *route)
{
	free(route->place);
	config_texts_free(&route->via);
	array_clear(&route->local_vips);
	probe_free(&route->probe);
}

static void grant_free(struct config_grant *grant)
{
	free(grant->place);
	config_texts_free(&grant->src);
	config_texts_free(&grant->dst);
	array_clear(&grant->ip);
}

static void assertions_free(struct config_assertions *assertions)
{
	struct config_assertion *assertion;

	array_for_each(assertion, assertions) {
		free(assertion->place);
		free(assertion->text);
		free(assertion->selector);
		array_clear(&assertion->ports);
	}
	array_clear(assertions);
}

static void test_free(struct config_test *test)
{
	free(test->place);
	text_free(&test->src);
	assertions_free(&test->accept);
	assertions_free(&test->deny);
}

static void service_free(struct config_service *service)
{
	struct config_service_port *port;

	free(service->name);
	free(service->place);
	array_for_each(port, &service->ports)
		free(port->place);
	array_clear(&service->ports);
	array_clear(&service->backends);
	probe_free(&service->health);
}

static void socket_lb_free(struct config_socket_lb *lb)
{
	struct config_exempt *exempt;

	free(lb->cgroup);
	array_for_each(exempt, &lb->exempt) {
		free(exempt->place);
		free(exempt->netns);
		free(exempt->interface);
	}
	array_clear(&lb->exempt);
	array_clear(&lb->foreign_serves);
}

/* The elements by their function, then the array. */
#define FREE_ALL(array, free_one)                              \
	do {                                                   \
		for (size_t _i = 0; _i < (array)->count; _i++) \
			free_one(&(array)->items[_i]);         \
		array_clear(array);                            \
	} while (0)

void config_free(struct config *config)
{
	if (!config)
		return;

	tunnel_free(&config->tunnel);
	FREE_ALL(&config->nodes, node_free);
	FREE_ALL(&config->peers, peer_free);
	FREE_ALL(&config->gateways, gateway_free);
	client_free(&config->client);
	FREE_ALL(&config->groups, group_free);
	FREE_ALL(&config->hosts, host_free);
	FREE_ALL(&config->route_approvers, approver_free);
	config_texts_free(&config->exit_approvers);
	FREE_ALL(&config->routes, route_free);
	FREE_ALL(&config->grants, grant_free);
	FREE_ALL(&config->tests, test_free);
	FREE_ALL(&config->services, service_free);
	socket_lb_free(&config->socket_lb);
	free(config->metrics_listen);
	free(config);
}
