use dunlin_client::{Client, Code, Config, Instant, Path};
use dunlin_coap::{Message, MessageWriter, OptionNumber, Type};

use super::shell::{self, Reply};
use super::{Device, DeviceArgs, Flash, Guarded, Objects, values};

fn device() -> Box<Device> {
    let mut dice = dunlin_net::OsRng::new();
    Box::new(Client::new(
        Config::new("dev-1"),
        Guarded::new(Objects::new("dev-1", Flash::in_memory())),
        &mut dice,
    ))
}

fn say(device: &mut Device, line: &str) -> String {
    match shell::execute(line, device, Instant::from_secs(1)) {
        Reply::Text(text) => text,
        Reply::Nothing => String::new(),
        Reply::Advance(by) => format!("advance {}", by.as_secs()),
        Reply::Rebind => "rebind".to_owned(),
        Reply::Session => "session".to_owned(),
        Reply::Sleep => "sleep".to_owned(),
        Reply::Quit => "quit".to_owned(),
    }
}

#[test]
fn the_shell_reads_and_sets() {
    let mut device = device();
    assert_eq!(
        say(&mut device, "get /3303/0/5700").trim_end(),
        "/3303/0/5700 = 21.5    Sensor Value"
    );
    assert!(say(&mut device, "set /3303/0/5700 -4.5").starts_with("set /3303/0/5700 = -4.5"));
    // The measured minimum follows, the maximum stays.
    assert!(say(&mut device, "get /3303/0").contains("/3303/0/5601 = -4.5 "));
    assert!(say(&mut device, "get /3303/0").contains("/3303/0/5602 = 21.5 "));
    assert!(say(&mut device, "set /3/0/7/0 3700").starts_with("set /3/0/7/0 = 3700"));
    assert!(say(&mut device, "set /3311/0/5850 true").contains("= true"));
    assert!(say(&mut device, "set /3/0/14 \"+02:00\"").contains("= \"+02:00\""));
    assert!(say(&mut device, "list").contains("/1/0/1 = "));
}

#[test]
fn the_shell_records_and_sends() {
    let mut device = device();
    assert!(say(&mut device, "send").contains("nothing to send"));
    assert_eq!(
        say(&mut device, "record /3303/0/5700"),
        "recorded /3303/0/5700"
    );
    assert_eq!(say(&mut device, "send"), "report 1: on its way");
    let both = say(&mut device, "send /3303/0/5700 /3/0/9");
    assert_eq!(both, "report 2: on its way");
    assert!(say(&mut device, "send /3/0/4").contains("/3/0/4 is nothing"));
    assert_eq!(device.waiting_reports().count(), 2);
    say(&mut device, "set /1/0/23 true");
    assert!(say(&mut device, "send /3/0/9").contains("/1/x/23"));
}

#[test]
fn the_shell_refuses_with_a_reason() {
    let mut device = device();
    for (line, reason) in [
        ("set /3303/0/5700 warm", "not a value of type Float"),
        ("set /3303/0/9999 1", "there is no resource /3303/0/9999"),
        ("set /3303/7/5700 1", "there is no resource /3303/7/5700"),
        ("set /3303/0 1", "not a resource"),
        ("set /3/0/7 1", "has resource instances"),
        ("set /3/0/9/0 1", "has no resource instances"),
        ("set /3303/0/5605 1", "executable"),
        ("set /3/0/9 300", "does not fit"),
        ("set /3303/0/5700", "expected set PATH VALUE"),
        ("get /99", "nothing at /99"),
        ("get 3.0", "decimal ids"),
        ("create /3/1", "cannot be created"),
        ("create /3303/0", "cannot be created"),
        ("delete /3/0", "cannot be deleted"),
        ("delete /3303", "expected an instance"),
        ("advance-time soon", "expected advance-time SECONDS"),
        ("dance", "unknown command dance"),
    ] {
        let answer = say(&mut device, line);
        assert!(answer.starts_with("error: "), "{line}: {answer}");
        assert!(answer.contains(reason), "{line}: {answer}");
    }
}

#[test]
fn the_shell_creates_and_deletes() {
    let mut device = device();
    assert_eq!(say(&mut device, "create /3303"), "created /3303/1");
    assert_eq!(say(&mut device, "create /3303/5"), "created /3303/5");
    assert!(say(&mut device, "get /3303/5").contains("/3303/5/5700"));
    assert_eq!(say(&mut device, "delete /3303/5"), "deleted /3303/5");
    assert!(say(&mut device, "get /3303/5").starts_with("error"));
    assert_eq!(say(&mut device, "advance-time 90"), "advance 90");
    assert_eq!(say(&mut device, "quit"), "quit");
    assert_eq!(say(&mut device, "  "), "");
}

#[test]
fn values_of_every_kind_are_listed() {
    let device = device();
    let text = values::list(&device.all_objects(), Path::ROOT);
    for line in [
        "/0/0/2 = 3 ",
        "/3/0/0 = \"Dunlin\" ",
        "/3/0/4    (execute) ",
        "/3/0/6/0 = 1 ",
        "/3/0/11/0 = 0 ",
        "/6/0/0 = 53.5586 ",
        "/3311/0/5850 = false ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// A server that accepts, or refuses, and keeps what it was sent.
struct Server {
    address: std::net::SocketAddr,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Server {
    /// Ends with the De-register or the first refusal. After the Register it reads `/3/0/2`.
    fn start(register: Code) -> Self {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            let mut buffer = [0; 2048];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).expect("the device speaks");
                let message = Message::parse(&buffer[..length]).unwrap();
                if !message.code.is_request() {
                    seen.push(format!("{} {:?}", message.code, message.payload));
                    continue;
                }
                let query: Vec<_> = message
                    .values(OptionNumber::URI_QUERY)
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .collect();
                seen.push(format!("{} {}", message.code, query.join("&")));
                let code = match (message.code, query.is_empty()) {
                    (Code::DELETE, _) => Code::DELETED,
                    (_, false) => register,
                    (_, true) => Code::CHANGED,
                };
                let mut out = [0; 128];
                let mut writer = MessageWriter::new(
                    &mut out,
                    Type::Acknowledgement,
                    code,
                    message.message_id,
                    message.token,
                );
                if code == Code::CREATED {
                    writer.option(OptionNumber::LOCATION_PATH, b"rd");
                }
                let length = writer.finish().unwrap();
                socket.send_to(&out[..length], from).unwrap();
                if code == Code::DELETED || !code.is_success() {
                    return seen;
                }
                if code == Code::CREATED {
                    // CON GET /3/0/2
                    let read = [0x40, 1, 0x12, 0x34, 0xB1, b'3', 1, b'0', 1, b'2'];
                    socket.send_to(&read, from).unwrap();
                }
            }
        });
        Self { address, thread }
    }
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: DeviceArgs,
}

fn arguments(server: &Server, more: &[&str]) -> DeviceArgs {
    let uri = format!("coap://{}", server.address);
    let line = ["device", "--server", &uri, "--endpoint", "dev-7"];
    let line = line.iter().chain(more);
    <Line as clap::Parser>::try_parse_from(line).unwrap().args
}

#[test]
fn once_registers_and_leaves() {
    let server = Server::start(Code::CREATED);
    super::run(&arguments(
        &server,
        &["--once", "--lifetime", "77", "--queue"],
    ))
    .unwrap();
    let seen = server.thread.join().unwrap();
    assert_eq!(seen[0], "0.02 ep=dev-7&lt=77&lwm2m=1.1&b=U&Q");
    assert_eq!(seen.last().unwrap(), "0.04 ");
}

#[test]
fn several_servers_are_registered_with_in_their_order() {
    let (first, second) = (Server::start(Code::CREATED), Server::start(Code::CREATED));
    let uri = format!("102=coap://{}", second.address);
    super::run(&arguments(
        &first,
        &[
            "--once",
            "--server",
            &uri,
            "--lwm2m",
            "1.2",
            "--set",
            "/1/1/1=99",
        ],
    ))
    .unwrap();
    let of = |server: Server| server.thread.join().unwrap();
    let (first, second) = (of(first), of(second));
    assert_eq!(first[0], "0.02 ep=dev-7&lt=300&lwm2m=1.2&b=U");
    assert_eq!(second[0], "0.02 ep=dev-7&lt=99&lwm2m=1.2&b=U");
    for seen in [first, second] {
        assert_eq!(seen.last().unwrap(), "0.04 ");
    }
}

#[test]
fn servers_have_ids_and_addresses_of_their_own() {
    let parse = |servers: &[&str]| {
        let line = servers.iter().flat_map(|server| ["--server", server]);
        let line = std::iter::once("device").chain(line);
        let args = <Line as clap::Parser>::try_parse_from(line).unwrap().args;
        let servers = super::servers(&args).map_err(|error| format!("{error:#}"))?;
        let servers = servers.into_iter();
        Ok::<_, String>(
            servers
                .map(|server| (server.id, server.address))
                .collect::<Vec<_>>(),
        )
    };
    let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(
        parse(&[
            "coap://127.0.0.1:1",
            "7=coap://127.0.0.1:2",
            "coap://127.0.0.1:3"
        ]),
        Ok(vec![(1, address(1)), (7, address(2)), (3, address(3))])
    );
    for (servers, reason) in [
        (&["0=coap://127.0.0.1"][..], "1 to 65534"),
        (&["x=coap://127.0.0.1"], "1 to 65534"),
        (&["65535=coap://127.0.0.1"], "1 to 65534"),
        (
            &["2=coap://127.0.0.1:1", "coap://127.0.0.1:2"],
            "ID 2 is another",
        ),
        (
            &["coap://127.0.0.1", "coap://127.0.0.1"],
            "has this address",
        ),
        (&["coap://127.0.0.1", "coap://[::1]"], "family"),
        (&["http://127.0.0.1"], "expected coap://"),
    ] {
        let error = parse(servers).expect_err("is refused");
        assert!(error.contains(reason), "{error}");
    }
    let five = [
        "coap://127.0.0.1:1",
        "coap://127.0.0.1:2",
        "coap://127.0.0.1:3",
    ];
    let five = [&five[..], &["coap://127.0.0.1:4", "coap://127.0.0.1:5"]].concat();
    assert!(parse(&five).expect_err("too many").contains("4 times"));
}

#[test]
fn the_shell_names_servers() {
    let mut device = device();
    let mut dice = dunlin_net::OsRng::new();
    let server = dunlin_client::objects::Server::new(102);
    device.add_server(server, &mut dice).unwrap();
    for (id, address) in [(1, "127.0.0.1:1"), (102, "127.0.0.1:2")] {
        let now = Instant::from_secs(1);
        device
            .connect_to(now, id, address.parse().unwrap())
            .unwrap();
    }
    let status = say(&mut device, "status");
    assert!(status.contains("server 1 coap://127.0.0.1:1"), "{status}");
    assert!(status.contains("server 102 coap://127.0.0.1:2"), "{status}");
    assert_eq!(say(&mut device, "leave 102"), "");
    let status = say(&mut device, "status");
    assert!(
        status.contains("idle endpoint dev-1 version 1.2 lifetime 86400 s server 102"),
        "{status}"
    );
    assert_eq!(say(&mut device, "update 102"), "");
    assert!(!say(&mut device, "status").contains("idle"));
    assert!(say(&mut device, "update 9").contains("there is no server 9"));
    assert_eq!(say(&mut device, "rebind"), "rebind");
}

#[test]
fn once_tells_a_refusal() {
    let server = Server::start(Code::FORBIDDEN);
    let arguments = arguments(&server, &["--once", "--lwm2m", "1.0"]);
    let error = super::run(&arguments).unwrap_err();
    assert!(error.to_string().contains("did not accept"), "{error}");
    assert_eq!(server.thread.join().unwrap().len(), 1);
}

#[test]
fn a_value_that_cannot_be_set_is_told_before_anything_is_sent() {
    let server = Server::start(Code::FORBIDDEN);
    let arguments = arguments(&server, &["--once", "--set", "/3303/0/5700=hot"]);
    let error = format!("{:#}", super::run(&arguments).unwrap_err());
    assert!(error.contains("--set /3303/0/5700=hot"), "{error}");
    // Lets the server end.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let register = [0x40, 2, 0, 1, 0xD1, 2, b'x'];
    socket.send_to(&register, server.address).unwrap();
    assert_eq!(server.thread.join().unwrap(), ["0.02 x"]);
}

/// The shell over a pipe: commands, a request of the server in between, the end of input.
#[tokio::test]
async fn the_end_of_input_leaves_the_server() {
    let server = Server::start(Code::CREATED);
    let address = server.address;
    let arguments = arguments(&server, &["--set", "/3/0/2=serial-9"]);
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = super::Target {
        id: 1,
        uri: format!("coap://{address}"),
        address,
        is_secure: false,
    };
    let mut runner = super::Runner::new(&arguments, &[target], socket).unwrap();
    let now = runner.clock.now();
    runner.secure.client_mut().connect(now, address);
    let (sender, lines) = tokio::sync::mpsc::channel(64);
    let typist = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for line in ["update", "advance-time 10"] {
            sender.send(line.to_owned()).await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    });
    runner.run(Some(lines), false).await.unwrap();
    typist.await.unwrap();
    let seen = tokio::task::spawn_blocking(|| server.thread.join().unwrap())
        .await
        .unwrap();
    assert!(
        seen.contains(&format!("2.05 {:?}", b"serial-9")),
        "{seen:?}"
    );
    assert!(seen.contains(&"0.02 ".to_owned()), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "0.04 ");
}

/// What the device guide says about rights: the shell makes an Access Control instance.
#[test]
fn the_shell_fills_the_access_control_object() {
    let mut device = device();
    assert_eq!(say(&mut device, "create /2/0"), "created /2/0");
    assert!(say(&mut device, "set /2/0/0 3303").contains("/2/0/0 = 3303"));
    assert!(say(&mut device, "set /2/0/2/1 15").contains("/2/0/2/1 = 15"));
    assert!(say(&mut device, "set /2/0/2/1 99").starts_with("error"));
    assert!(say(&mut device, "set /2/0/3 1").contains("/2/0/3 = 1"));
}

#[test]
fn keys_lead_to_coaps() {
    let servers = |line: &[&str]| {
        let line = std::iter::once(&"device").chain(line);
        let args =
            <Line as clap::Parser>::try_parse_from(line).map_err(|error| error.to_string())?;
        super::servers(&args.args).map_err(|error| format!("{error:#}"))
    };
    let found = servers(&["--psk", "dev:00ff"]).unwrap();
    assert_eq!(found[0].address.to_string(), "127.0.0.1:5684");
    assert!(found[0].is_secure);
    assert!(!servers(&[]).unwrap()[0].is_secure);
    for (line, reason) in [
        (
            &["--psk", "a:00", "--server", "coap://127.0.0.1"][..],
            "no --server is coaps",
        ),
        (
            &["--psk", "a:00", "--cert", "x", "--key", "y"],
            "cannot be used with",
        ),
        (&["--rpk", "x"], "--server-key"),
        (&["--cert", "x"], "--key"),
    ] {
        let error = servers(line).expect_err("is refused");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_shell_looks_at_sessions_and_sleeps() {
    let mut device = device();
    assert_eq!(say(&mut device, "session"), "session");
    assert_eq!(say(&mut device, "sleep"), "sleep");
    // Keys are not shown.
    let account = dunlin_client::objects::Security::psk("coaps://a.example", b"dev", &[0x5A; 16]);
    device.provision(1, account.unwrap()).unwrap();
    let text = say(&mut device, "get /0/0");
    assert!(text.contains("/0/0/3 = "), "{text}");
    assert!(
        !text.contains("/0/0/5") && !text.to_lowercase().contains("5a5a"),
        "{text}"
    );
}
