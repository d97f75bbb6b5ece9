//! The driver against a scripted instrument: the exact bytes of every command, and what becomes of exchanges that are
//! cut short. A wrong byte from the driver ends the script, and the test with it.

use std::time::Duration;

use ctp10::instrument::limits::Limits;
use ctp10::instrument::scpi::{self, Action, Query, TraceAddress};
use ctp10::instrument::{Ctp10, Deadlines, Error, LinkEvent};
use ctp10::measurement::{Detector, PowerUnit, SpectralUnit, TraceKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const IDENTITY: &str = "EXFO,CTP10,12345,1.2.3";
const D: Detector = Detector { module: 4, channel: 2 };

/// One client of the scripted instrument.
struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    /// Expects a line, ended by CR LF.
    async fn expect(&mut self, text: &str) {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, format!("{text}\r\n"));
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    async fn reply(&mut self, text: &str) {
        self.send(format!("{text}\r\n").as_bytes()).await;
    }

    async fn answer(&mut self, question: &str, reply: &str) {
        self.expect(question).await;
        self.reply(reply).await;
    }

    /// Waits for the client to close its end.
    async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset is a close too.
        let _ = self.stream.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

struct Scripted(TcpListener);

impl Scripted {
    /// Takes the next connection and identifies itself.
    async fn accept_as(&self, identity: &str) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        let mut peer = Peer { stream: BufReader::new(stream) };
        peer.answer("*IDN?", identity).await;
        peer
    }

    async fn accept(&self) -> Peer {
        self.accept_as(IDENTITY).await
    }
}

/// For the tests in which a question stays unanswered.
fn impatient() -> Deadlines {
    Deadlines { query: Duration::from_secs(1), ..Deadlines::default() }
}

/// A driver, and the script at the other end.
async fn driver<F>(
    limits: Limits,
    script: impl FnOnce(Scripted, Peer) -> F + Send + 'static,
) -> (Ctp10, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    driver_with(Deadlines::default(), limits, script).await
}

async fn driver_with<F>(
    deadlines: Deadlines,
    limits: Limits,
    script: impl FnOnce(Scripted, Peer) -> F + Send + 'static,
) -> (Ctp10, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let other = tokio::spawn(async move {
        let scripted = Scripted(listener);
        let peer = scripted.accept().await;
        script(scripted, peer).await;
    });
    (Ctp10::connect(address, deadlines, limits).await.unwrap(), other)
}

fn block(values: &[f32]) -> Vec<u8> {
    let length = (values.len() * 4).to_string();
    let mut bytes = format!("#{}{length}", length.len()).into_bytes();
    bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    bytes
}

/// Commands with their texts. The macro does not compile while a variant of `Action` has no line.
macro_rules! every_command {
    ($($variant:ident: $($action:expr => $text:literal),+;)+) => {{
        let is_known = |action: &Action| match action {
            $(Action::$variant { .. } => true,)+
        };
        let commands = [$($(($action, $text)),+),+];
        assert!(commands.iter().all(|(action, _)| is_known(action)));
        commands
    }};
}

#[tokio::test]
async fn every_command_is_sent_as_written_here_and_confirmed_by_the_error_queue() {
    let commands = every_command! {
        SetLaserPower: Action::SetLaserPower { laser: 1, dbm: -1.5 } => "CTP:RLAS1:POW -1.5DBM";
        SetLaserWavelength: Action::SetLaserWavelength { laser: 2, nm: 1310.123 } => "CTP:RLAS2:WAV 1310.123NM";
        SetLaserOutput: Action::SetLaserOutput { laser: 10, on: true } => "CTP:RLAS10:POW:STAT ON", Action::SetLaserOutput { laser: 1, on: false } => "CTP:RLAS1:POW:STAT OFF";
        SetTlsLaser: Action::SetTlsLaser { tls: 1, laser: 2 } => "INIT:TLS1:ID 2";
        SetTlsStart: Action::SetTlsStart { tls: 1, nm: 1520.0 } => "INIT:TLS1:WAV:STAR 1520NM";
        SetTlsStop: Action::SetTlsStop { tls: 4, nm: 1580.5 } => "INIT:TLS4:WAV:STOP 1580.5NM";
        SetTlsSpeed: Action::SetTlsSpeed { tls: 1, nm_s: 50.0 } => "INIT:TLS1:SPE 50";
        SetTlsPower: Action::SetTlsPower { tls: 1, dbm: 5.0 } => "INIT:TLS1:POW 5DBM";
        SetTlsTrigger: Action::SetTlsTrigger { tls: 1, trigger: 8 } => "INIT:TLS1:TRIG 8";
        SetScanStart: Action::SetScanStart { nm: 1550.123 } => "INIT:WAV:STAR 1550.123NM";
        SetScanStop: Action::SetScanStop { nm: 1580.0 } => "INIT:WAV:STOP 1580NM";
        SetResolution: Action::SetResolution { pm: 0.02 } => "INIT:WAV:SAMP 0.02PM";
        SetStabilization: Action::SetStabilization { output: true, seconds: 12.3 } => "INIT:STAB 1,12.3";
        SetDetectorWavelength: Action::SetDetectorWavelength { detector: D, nm: 1310.0 } => "CTP:SENS4:CHAN2:WAV 1310NM";
        SetPowerUnit: Action::SetPowerUnit { detector: D, unit: PowerUnit::Mw } => "CTP:SENS4:CHAN2:UNIT:Y MW", Action::SetPowerUnit { detector: D, unit: PowerUnit::Dbma } => "CTP:SENS4:CHAN2:UNIT:Y DBMA", Action::SetPowerUnit { detector: D, unit: PowerUnit::Ma } => "CTP:SENS4:CHAN2:UNIT:Y MA";
        SetSpectralUnit: Action::SetSpectralUnit { detector: D, unit: SpectralUnit::Thz } => "CTP:SENS4:CHAN2:UNIT:X FREQ";
        SetDetectorTrigger: Action::SetDetectorTrigger { detector: D, trigger: 3 } => "CTP:SENS4:CHAN2:FUNC:TRIG 3";
        SetFeedbackLaser: Action::SetFeedbackLaser { laser: 2 } => "CTP:SENS:FBC 2";
        StartReference: Action::StartReference { detector: D } => "REF:SENS4:CHAN2:INIT";
        StartScan: Action::StartScan => "INIT";
        Abort: Action::Abort => "ABOR";
        ClearErrors: Action::ClearErrors => "*CLS";
        SetScanMode: Action::SetScanMode { continuous: false } => "INIT:SMOD SING";
        Raw: Action::Raw("INIT:FBC:SENS 1".into()) => "INIT:FBC:SENS 1";
        SetAnalogOutput: Action::SetAnalogOutput { output: 3, detector: D } => "SYST:ANLG:OUT3:SOUR 4,2";
    };
    let (actions, texts): (Vec<Action>, Vec<&str>) = commands.into_iter().unzip();
    let (instrument, script) = driver(Limits::default(), |_, mut peer| async move {
        for text in texts {
            peer.expect(text).await;
            peer.answer("SYST:ERR?", "0,No error").await;
        }
    })
    .await;
    for action in actions {
        instrument.act(&action).await.unwrap();
    }
    script.await.unwrap();
}

#[tokio::test]
async fn every_question_is_asked_as_written_here_and_its_reply_is_read() {
    let (instrument, script) = driver(Limits::default(), |_, mut peer| async move {
        for (question, reply) in [
            ("CTP:RLAS1:IDN?", "EXFO,T100S-HP,0,6.06"),
            ("STAT:OPER:COND?", "12"),
            ("INIT:WAV:STAR?", "1.55012300E-006"),
            ("INIT:WAV:STOP?", "1.58000000E-006"),
            ("INIT:WAV:SAMP?", "2.00000000E-014"),
            ("INIT:STAB?", "1,5.6"),
            ("INIT:TLS2:ID?", "1"),
            ("INIT:TLS2:WAV:STAR?", "1.52000000E-006"),
            ("INIT:TLS2:WAV:STOP?", "1.58000000E-006"),
            ("INIT:TLS2:SPE?", "50"),
            ("INIT:TLS2:POW?", "5.00000000E+000"),
            ("INIT:TLS2:TRIG?", "3"),
            ("CTP:RLAS1:POW?", "-1.50000000E+000"),
            ("CTP:RLAS1:WAV?", "1.55000000E-006"),
            ("CTP:RLAS1:POW:STAT?", "1"),
            ("CTP:SENS4:CHAN2:POW?", "-12.345"),
            ("CTP:SENS4:CHAN2:UNIT:Y?", "1"),
            ("CTP:SENS4:CHAN2:UNIT:X?", "0"),
            ("CTP:SENS4:CHAN2:WAV?", "1.31000000E-006"),
            ("CTP:SENS4:CHAN2:FUNC:TRIG?", "0"),
            ("REF:SENS4:CHAN2:RES?", "1,0,20251128,092631"),
            ("TRAC:SENS4:CHAN2:TYPE11:DATA:LENG?", "940001"),
            ("TRAC:SENS4:CHAN2:TYPE11:DATA:STAR?", "1.50000000E-006"),
            ("TRAC:SENS4:CHAN2:TYPE11:DATA:SAMP?", "1.00000000E-013"),
            ("TRAC:SENS4:TYPE3:DATA:LENG?", "2"),
            ("TRAC:SENS4:TYPE3:DATA:STAR?", "1.50000000E-006"),
            ("TRAC:SENS4:TYPE3:DATA:SAMP?", "1.00000000E-012"),
            ("CTP:SENS:FBC?", "7"),
            ("CTP:SENS:FBC?", "2"),
            ("SYST:ANLG:OUT3:SOUR?", "4, 2"),
            ("SYST:ANLG:OUT3:SOUR?", "0,0"),
            ("CTP:SENS4:CHAN2:UNIT:Y?", "DBMA"),
        ] {
            peer.answer(question, reply).await;
        }
    })
    .await;
    let i = &instrument;
    assert_eq!(i.ask(&Query::laser_identity(1)).await.unwrap().model, "T100S-HP");
    assert_eq!(i.ask(&Query::condition()).await.unwrap().to_string(), "scanning, analyzing");
    assert_eq!(i.ask(&Query::scan_start_nm()).await.unwrap(), 1550.123);
    assert_eq!(i.ask(&Query::scan_stop_nm()).await.unwrap(), 1580.0);
    assert_eq!(i.ask(&Query::resolution_pm()).await.unwrap(), 0.02);
    assert_eq!(
        i.ask(&Query::stabilization()).await.unwrap(),
        scpi::Stabilization { output: true, seconds: 5.6 }
    );
    assert_eq!(i.ask(&Query::tls_laser(2)).await.unwrap(), 1);
    assert_eq!(i.ask(&Query::tls_start_nm(2)).await.unwrap(), 1520.0);
    assert_eq!(i.ask(&Query::tls_stop_nm(2)).await.unwrap(), 1580.0);
    assert_eq!(i.ask(&Query::tls_speed_nm_s(2)).await.unwrap(), 50.0);
    assert_eq!(i.ask(&Query::tls_power_dbm(2)).await.unwrap(), 5.0);
    assert_eq!(i.ask(&Query::tls_trigger(2)).await.unwrap(), 3);
    assert_eq!(i.ask(&Query::laser_power_dbm(1)).await.unwrap(), -1.5);
    assert_eq!(i.ask(&Query::laser_wavelength_nm(1)).await.unwrap(), 1550.0);
    assert!(i.ask(&Query::laser_output(1)).await.unwrap());
    assert_eq!(i.ask(&Query::power(D)).await.unwrap(), -12.345);
    assert_eq!(i.ask(&Query::power_unit(D)).await.unwrap(), PowerUnit::Mw);
    assert_eq!(i.ask(&Query::spectral_unit(D)).await.unwrap(), SpectralUnit::Nm);
    assert_eq!(i.ask(&Query::detector_wavelength_nm(D)).await.unwrap(), 1310.0);
    assert_eq!(i.ask(&Query::detector_trigger(D)).await.unwrap(), 0);
    assert!(i.reference(D).await.unwrap().unwrap().valid);
    let grid = i.trace_grid((D, TraceKind::Raw)).await.unwrap();
    assert_eq!((grid.points, grid.start_nm, grid.step_pm), (940_001, 1500.0, 0.1));
    let reflection = TraceAddress { detector: D, kind: TraceKind::Other(3), without_channel: true };
    assert_eq!(i.trace_grid(reflection).await.unwrap().points, 2);
    assert_eq!(i.ask(&Query::raw("CTP:SENS:FBC?").unwrap()).await.unwrap(), "7");
    assert_eq!(i.ask(&Query::feedback_laser()).await.unwrap(), 2);
    assert_eq!(i.ask(&Query::analog_output(3)).await.unwrap(), Some(D));
    assert_eq!(i.ask(&Query::analog_output(3)).await.unwrap(), None);
    assert_eq!(i.ask(&Query::power_unit(D)).await.unwrap(), PowerUnit::Dbma);
    script.await.unwrap();
}

#[tokio::test]
async fn a_unit_may_reply_to_the_routing_of_an_analog_output_and_its_reply_reaches_nobody() {
    let (instrument, script) = driver(Limits::default(), |_, mut peer| async move {
        for (text, reply) in [
            ("SYST:ANLG:OUT1:SOUR 4,2", true),
            ("syst:anlg:out1:sour 4,2", true),
            ("SYST:ANLG:OUT1:SOUR 4,2", false),
        ] {
            peer.expect(text).await;
            if reply {
                peer.send(b"4,2\r\n").await;
            }
            peer.answer("SYST:ERR?", "0,No error").await;
            peer.answer("INIT:TLS1:SPE?", "50").await;
        }
    })
    .await;
    let typed = Action::SetAnalogOutput { output: 1, detector: D };
    for action in [typed.clone(), Action::Raw("syst:anlg:out1:sour 4,2".into()), typed] {
        instrument.act(&action).await.unwrap();
        assert_eq!(instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap(), 50.0);
    }
    script.await.unwrap();
}

#[tokio::test]
async fn a_block_is_handed_on_whole_and_a_line_end_behind_it_is_no_reply() {
    let (instrument, script) = driver(Limits::default(), |_, mut peer| async move {
        for end in ["", "\r\n"] {
            peer.expect("TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB").await;
            let bytes = block(&[-3.0, -23.5, f32::NEG_INFINITY]);
            // In two pieces, cut inside a value.
            peer.send(&bytes[..9]).await;
            peer.send(&bytes[9..]).await;
            peer.send(end.as_bytes()).await;
            peer.answer("INIT:TLS1:SPE?", "50").await;
        }
    })
    .await;
    for _ in 0..2 {
        let (values, mut arriving) = mpsc::channel(8);
        instrument.trace_values((D, TraceKind::Tf), 3, &values).await.unwrap();
        drop(values);
        let mut found = Vec::new();
        while let Some(piece) = arriving.recv().await {
            found.extend(piece);
        }
        assert_eq!(found[..2], [-3.0, -23.5]);
        assert!(found[2].is_nan(), "an infinite value is no number");
        assert_eq!(instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap(), 50.0);
    }
    script.await.unwrap();
}

#[tokio::test]
async fn a_transfer_that_is_dropped_midway_frees_the_link_at_once_and_its_rest_reaches_nobody() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.expect("TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB").await;
        let bytes = block(&[-3.0; 1000]);
        peer.send(&bytes[..2000]).await;
        peer.closed().await;
        let mut again = scripted.accept().await;
        again.answer("INIT:TLS1:SPE?", "20").await;
    })
    .await;
    let (values, mut arriving) = mpsc::channel(8);
    tokio::select! {
        result = instrument.trace_values((D, TraceKind::Tf), 1000, &values) => panic!("{result:?}"),
        piece = arriving.recv() => assert!(!piece.unwrap().is_empty()),
    }
    assert_eq!(instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap(), 20.0);
    script.await.unwrap();
}

#[tokio::test]
async fn a_block_of_another_length_or_one_that_ends_early_is_an_error_and_never_a_trace() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.expect("TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB").await;
        peer.send(&block(&[-3.0; 9])).await;
        peer.closed().await;
        let mut again = scripted.accept().await;
        again.expect("TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB").await;
        again.send(&block(&[-3.0; 10])[..30]).await;
        drop(again);
    })
    .await;
    let (values, _arriving) = mpsc::channel(8);
    let error = instrument.trace_values((D, TraceKind::Tf), 10, &values).await.unwrap_err();
    assert!(error.to_string().contains("the block has 36 bytes, but 10 points were announced"), "{error}");
    let error = instrument.trace_values((D, TraceKind::Tf), 10, &values).await.unwrap_err();
    assert!(error.to_string().contains("of 40 bytes missing"), "{error}");
    script.await.unwrap();
}

#[tokio::test]
async fn a_reply_that_the_end_of_the_connection_has_cut_is_never_a_value() {
    // Each beginning of `-12.5` is a number too.
    for cut in ["-", "-1", "-12", "-12.", "-12.5", "-12.5\r"] {
        let (instrument, script) = driver(Limits::default(), move |scripted, mut peer| async move {
            peer.expect("INIT:TLS1:POW?").await;
            peer.send(cut.as_bytes()).await;
            drop(peer);
            let mut again = scripted.accept().await;
            again.answer("INIT:TLS1:POW?", "-12.5").await;
            again.expect("INIT:TLS1:POW?").await;
            again.send(cut.as_bytes()).await;
            drop(again);
            let mut third = scripted.accept().await;
            third.expect("INIT:TLS1:POW?").await;
            third.send(cut.as_bytes()).await;
        })
        .await;
        assert_eq!(instrument.ask(&Query::tls_power_dbm(1)).await.unwrap(), -12.5, "{cut:?}");
        let error = instrument.ask(&Query::tls_power_dbm(1)).await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{cut:?}: {error}");
        script.await.unwrap();
    }
}

#[tokio::test]
async fn a_block_that_the_end_of_the_connection_has_cut_is_never_a_trace() {
    // Within the header, after it, within a value, after a value, and before the last byte.
    for count in [0, 1, 2, 3, 4, 6, 8, 43] {
        let (instrument, script) = driver(Limits::default(), move |_, mut peer| async move {
            peer.expect("TRAC:SENS4:CHAN2:TYPE1:DATA? BIN,DB").await;
            peer.send(&block(&[-3.0; 10])[..count]).await;
        })
        .await;
        let (values, _arriving) = mpsc::channel(8);
        let error = instrument.trace_values((D, TraceKind::Tf), 10, &values).await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{count}: {error}");
        script.await.unwrap();
    }
}

#[tokio::test]
async fn a_reply_that_comes_after_its_deadline_never_reaches_the_next_question() {
    let (instrument, script) = driver_with(impatient(), Limits::default(), |_, mut peer| async move {
        peer.expect("INIT:TLS1:SPE?").await;
        // Asked who is there because of the silence, the instrument first gives its late reply.
        peer.expect("*IDN?").await;
        peer.reply("50").await;
        peer.reply(IDENTITY).await;
        peer.answer("SYST:ERR?", "0,No error").await;
        peer.answer("INIT:TLS2:SPE?", "20").await;
    })
    .await;
    let error = instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap_err();
    assert!(matches!(error, Error::NoReply { .. }), "{error}");
    assert_eq!(instrument.ask(&Query::tls_speed_nm_s(2)).await.unwrap(), 20.0);
    script.await.unwrap();
}

#[tokio::test]
async fn a_refused_question_comes_back_with_the_reason_from_the_queue_and_the_link_stays() {
    let (instrument, script) = driver_with(impatient(), Limits::default(), |_, mut peer| async move {
        peer.expect("CTP:SENS4:CHAN2:POW?").await;
        peer.answer("*IDN?", IDENTITY).await;
        peer.answer("SYST:ERR?", "-221,\"Settings conflict\"").await;
        peer.answer("SYST:ERR?", "0,No error").await;
        peer.answer("STAT:OPER:COND?", "4").await;
    })
    .await;
    let error = instrument.ask(&Query::power(D)).await.unwrap_err();
    assert_eq!(error.to_string(), "the instrument refused `CTP:SENS4:CHAN2:POW?`: -221 Settings conflict");
    assert!(!instrument.ask(&Query::condition()).await.unwrap().is_idle());
    script.await.unwrap();
}

#[tokio::test]
async fn a_scan_that_stays_idle_did_not_start() {
    let (instrument, script) = driver(Limits::default(), |_, mut peer| async move {
        // What has happened before does not count.
        peer.answer("STAT:OPER:EVEN?", "4").await;
        peer.expect("INIT").await;
        peer.answer("STAT:OPER:COND?", "0").await;
        peer.answer("SYST:ERR?", "0,No error").await;
        let mut line = String::new();
        while peer.stream.read_line(&mut line).await.unwrap() > 0 {
            assert!(["STAT:OPER:COND?\r\n", "STAT:OPER:EVEN?\r\n"].contains(&line.as_str()), "{line}");
            line.clear();
            peer.reply("0").await;
        }
    })
    .await;
    let error = instrument.scan(&Action::StartScan, Duration::ZERO, |_| {}).await.unwrap_err();
    assert_eq!(error, Error::DidNotStart { command: "INIT".into() });
    drop(instrument);
    script.await.unwrap();
}

#[tokio::test]
async fn a_question_is_asked_once_more_on_a_new_connection_and_the_link_says_so() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.expect("INIT:TLS1:SPE?").await;
        drop(peer);
        let mut again = scripted.accept().await;
        again.answer("INIT:TLS1:SPE?", "50").await;
    })
    .await;
    let mut events = instrument.link_events();
    assert_eq!(instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap(), 50.0);
    assert!(matches!(events.recv().await.unwrap(), LinkEvent::Lost { .. }));
    assert!(matches!(events.recv().await.unwrap(), LinkEvent::Regained { .. }));
    script.await.unwrap();
}

#[tokio::test]
async fn a_question_on_a_connection_that_has_gone_silent_is_asked_once_more_on_a_new_one() {
    let (instrument, script) = driver_with(impatient(), Limits::default(), |scripted, mut peer| async move {
        peer.expect("INIT:TLS1:SPE?").await;
        peer.expect("*IDN?").await;
        let mut again = scripted.accept().await;
        again.answer("INIT:TLS1:SPE?", "50").await;
        again.expect("INIT:TLS2:SPE?").await;
        again.expect("*IDN?").await;
        let mut third = scripted.accept().await;
        third.expect("INIT:TLS2:SPE?").await;
        third.expect("*IDN?").await;
    })
    .await;
    assert_eq!(instrument.ask(&Query::tls_speed_nm_s(1)).await.unwrap(), 50.0);
    // Once: what stays silent on two connections is not asked for ever.
    let error = instrument.ask(&Query::tls_speed_nm_s(2)).await.unwrap_err();
    assert!(matches!(error, Error::NoReply { .. }), "{error}");
    script.await.unwrap();
}

#[tokio::test]
async fn a_command_that_may_be_sent_twice_is_not_waited_for_as_long() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.expect("CTP:RLAS1:POW:STAT OFF").await;
        peer.expect("SYST:ERR?").await;
        drop(scripted);
        peer.closed().await;
    })
    .await;
    let hasty = instrument.confirming_within(Duration::from_millis(100));
    let error = hasty.laser_off(1).await.unwrap_err();
    assert!(matches!(error, Error::FateUnknown { .. }), "{error}");
    script.await.unwrap();
}

#[tokio::test]
async fn a_command_is_never_repeated_and_its_unknown_fate_is_said() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.expect("CTP:RLAS1:POW:STAT ON").await;
        peer.expect("SYST:ERR?").await;
        drop(peer);
        let mut again = scripted.accept().await;
        again.answer("CTP:RLAS1:POW:STAT?", "1").await;
    })
    .await;
    let error = instrument.act(&Action::SetLaserOutput { laser: 1, on: true }).await.unwrap_err();
    assert!(matches!(error, Error::FateUnknown { .. }), "{error}");
    assert!(instrument.ask(&Query::laser_output(1)).await.unwrap());
    script.await.unwrap();
}

#[tokio::test]
async fn another_instrument_at_the_address_is_not_taken_for_the_one_that_was_there() {
    let (instrument, script) = driver(Limits::default(), |scripted, peer| async move {
        drop(peer);
        scripted.accept_as("EXFO,CTP10,99999,1.2.3").await;
    })
    .await;
    let error = instrument.ask(&Query::condition()).await.unwrap_err();
    assert!(matches!(error, Error::OtherInstrument { .. }), "{error}");
    script.await.unwrap();
}

#[tokio::test]
async fn a_reply_that_makes_no_sense_costs_the_connection_and_the_question_is_asked_again() {
    let (instrument, script) = driver(Limits::default(), |scripted, mut peer| async move {
        peer.answer("STAT:OPER:COND?", "\u{1}garbage").await;
        peer.closed().await;
        let mut again = scripted.accept().await;
        again.answer("STAT:OPER:COND?", "0").await;
    })
    .await;
    assert!(instrument.ask(&Query::condition()).await.unwrap().is_idle());
    script.await.unwrap();
}

#[tokio::test]
async fn what_the_bench_forbids_is_refused_before_a_byte_is_sent() {
    let limits: Limits =
        serde_json::from_str(r#"{ "laser": { "1": { "max_power_dbm": 6.0 }, "2": { "off": true } } }"#)
            .unwrap();
    let (instrument, script) = driver(limits, |_, mut peer| async move {
        // What counts is asked; nothing is set.
        peer.answer("INIT:TLS1:ID?", "1").await;
        peer.answer("INIT:TLS1:ID?", "1").await;
        peer.answer("CTP:RLAS1:POW?", "1.00000000E+001").await;
        peer.closed().await;
    })
    .await;
    for action in [
        Action::SetLaserPower { laser: 1, dbm: 7.0 },
        Action::SetLaserOutput { laser: 2, on: true },
        Action::Raw("CTP:RLAS1:POW 7DBM".into()),
        Action::SetTlsPower { tls: 1, dbm: 7.0 },
        Action::Raw("INIT:TLS1:ID 1;:NO:SUCH 3".into()),
        Action::Raw("init:tls1:power 8mw".into()),
        Action::SetLaserOutput { laser: 1, on: true },
    ] {
        let error = instrument.act(&action).await.unwrap_err();
        assert!(matches!(error, Error::Forbidden(_)), "{error}");
    }
    drop(instrument);
    script.await.unwrap();
}
