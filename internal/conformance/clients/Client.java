import java.util.Map;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;

/** Calls of the Java client org.sourcelab:kafka-connect-client, each printed with what it answers. */
public class Client {
    public static void main(String[] args) throws Exception {
        KafkaConnectClient client = new KafkaConnectClient(new Configuration(args[0]));
        String name = "java-numbers";
        System.out.println("version " + client.getConnectServerVersion().getVersion());
        System.out.println("plugins " + (client.getConnectorPlugins().size() > 5));
        System.out.println("connectors " + client.getConnectors());
        System.out.println("errors " + client.validateConnectorPluginConfig(
            org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition.newBuilder()
                .withName("VerifiableSourceConnector")
                .withConfig("connector.class", "VerifiableSourceConnector").withConfig("name", "x").build()).getErrorCount());
        System.out.println("created " + client.addConnector(NewConnectorDefinition.newBuilder().withName(name)
            .withConfig("connector.class", "VerifiableSource").withConfig("topic", "java").withConfig("count", "3").build()).getName());
        await("RUNNING", client, name);
        System.out.println("config " + client.getConnectorConfig(name).get("count"));
        System.out.println("updated " + client.updateConnectorConfig(name,
            Map.of("connector.class", "VerifiableSource", "topic", "java", "count", "5")).getConfig().get("count"));
        System.out.println("paused " + client.pauseConnector(name));
        await("PAUSED", client, name);
        System.out.println("resumed " + client.resumeConnector(name));
        await("RUNNING", client, name);
        System.out.println("restarted " + client.restartConnector(name));
        System.out.println("task restarted " + client.restartConnectorTask(name, 0));
        System.out.println("tasks " + client.getConnectorTasks(name).size());
        System.out.println("topics " + client.getConnectorTopics(name).getTopics());
        System.out.println("expanded " + client.getConnectorsWithAllExpandedMetadata().getAllStatuses().size());
        System.out.println("deleted " + client.deleteConnector(name));
        try {
            client.getConnector(name);
        } catch (org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException e) {
            System.out.println("gone: " + e.getMessage());
        }
        System.exit(0);
    }

    /** Waits until the connector and its task have a state. */
    static void await(String state, KafkaConnectClient client, String name) throws Exception {
        for (int i = 0; i < 600; i++) {
            try {
                var s = client.getConnectorStatus(name);
                if (s.getConnector().get("state").equals(state) && s.getTasks().size() == 1 && s.getTasks().get(0).getState().equals(state)) {
                    System.out.println(name + " " + state);
                    return;
                }
            } catch (org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException e) {
                // it has no status yet
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException(name + " does not get " + state);
    }
}
