<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ja">
  <context>
    <name>HeadCTTriage</name>
    <message>
      <source>Head CT Triage</source>
      <translation>頭部CTトリアージ</translation>
    </message>
    <message>
      <source>Worklist, images, assessment and review of head CTs that a headct-triage server has judged. The program supports; the physician decides.</source>
      <translation>headct-triageサーバーが判定した頭部CTのワークリスト、画像、判定結果を表示し、読影者の判定を入力します。本プログラムは診療を支援するものであり、判断は医師が行います。</translation>
    </message>
    <message>
      <source>For reference only. The program supports; the physician makes the final judgement.</source>
      <translation>参考情報です。本プログラムは診療を支援するものであり、最終判断は医師が行います。</translation>
    </message>
    <message>
      <source>Server</source>
      <translation>サーバー</translation>
    </message>
    <message>
      <source>Address:</source>
      <translation>アドレス：</translation>
    </message>
    <message>
      <source>Address of the Orthanc server that has the triage</source>
      <translation>トリアージが動作するOrthancサーバーのアドレス</translation>
    </message>
    <message>
      <source>User:</source>
      <translation>ユーザー：</translation>
    </message>
    <message>
      <source>Password:</source>
      <translation>パスワード：</translation>
    </message>
    <message>
      <source>Kept in memory until Slicer is closed, nowhere else</source>
      <translation>Slicerの終了までメモリにのみ保持し、保存しません</translation>
    </message>
    <message>
      <source>Own CA file:</source>
      <translation>院内CA証明書：</translation>
    </message>
    <message>
      <source>Certificate of the hospital's own authority (PEM); empty for a public one</source>
      <translation>院内認証局の証明書（PEM）。公的な認証局の場合は空欄</translation>
    </message>
    <message>
      <source>Test</source>
      <translation>接続テスト</translation>
    </message>
    <message>
      <source>Look whether the server can be reached and says it is well</source>
      <translation>サーバーに接続でき、正常に動作しているかを確認します</translation>
    </message>
    <message>
      <source>Connect</source>
      <translation>接続</translation>
    </message>
    <message>
      <source>Send now</source>
      <translation>今すぐ送信</translation>
    </message>
    <message>
      <source>Open</source>
      <translation>開く</translation>
    </message>
    <message>
      <source>Open the first case whose review needs you</source>
      <translation>確認が必要な最初の症例を開く</translation>
    </message>
    <message>
      <source>Discard</source>
      <translation>破棄</translation>
    </message>
    <message>
      <source>Forget the first review that needs you</source>
      <translation>確認が必要な最初の判定を破棄する</translation>
    </message>
    <message>
      <source>Worklist</source>
      <translation>ワークリスト</translation>
    </message>
    <message>
      <source>Filter by name, ID, finding ...</source>
      <translation>氏名・ID・所見などで絞り込み</translation>
    </message>
    <message>
      <source>Unreviewed only</source>
      <translation>未判定のみ</translation>
    </message>
    <message>
      <source>The queue, or earlier studies: assessed, not queued</source>
      <translation>待ち行列、または過去の検査（判定済み・一覧対象外）</translation>
    </message>
    <message>
      <source>Open the selected case (Enter, or a double click)</source>
      <translation>選択した症例を開く（Enterまたはダブルクリック）</translation>
    </message>
    <message>
      <source>Case</source>
      <translation>症例</translation>
    </message>
    <message>
      <source>No case is open.</source>
      <translation>症例は開かれていません。</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>中止</translation>
    </message>
    <message>
      <source>Series:</source>
      <translation>シリーズ：</translation>
    </message>
    <message>
      <source>Window:</source>
      <translation>表示条件：</translation>
    </message>
    <message>
      <source>Brain</source>
      <translation>脳</translation>
    </message>
    <message>
      <source>Subdural</source>
      <translation>硬膜下</translation>
    </message>
    <message>
      <source>Stroke</source>
      <translation>早期虚血</translation>
    </message>
    <message>
      <source>Bone</source>
      <translation>骨</translation>
    </message>
    <message>
      <source>Key slices:</source>
      <translation>注目スライス：</translation>
    </message>
    <message>
      <source>Findings and their figures</source>
      <translation>所見と計測値</translation>
    </message>
    <message>
      <source>Show the suspected bleed</source>
      <translation>出血疑いの領域を表示</translation>
    </message>
    <message>
      <source>Previous:</source>
      <translation>過去画像：</translation>
    </message>
    <message>
      <source>Show beside</source>
      <translation>並べて表示</translation>
    </message>
    <message>
      <source>What others said, history</source>
      <translation>他の読影者の判定・経過</translation>
    </message>
    <message>
      <source>Model and probabilities</source>
      <translation>モデルと確率</translation>
    </message>
    <message>
      <source>Review</source>
      <translation>読影者の判定</translation>
    </message>
    <message>
      <source>Look again and decide anew</source>
      <translation>確認して判定し直す</translation>
    </message>
    <message>
      <source>Send mine all the same</source>
      <translation>このまま自分の判定を送信</translation>
    </message>
    <message>
      <source>Confirm</source>
      <translation>同意</translation>
    </message>
    <message>
      <source>GREEN</source>
      <translation>緑</translation>
    </message>
    <message>
      <source>YELLOW</source>
      <translation>黄</translation>
    </message>
    <message>
      <source>RED</source>
      <translation>赤</translation>
    </message>
    <message>
      <source>BLACK</source>
      <translation>黒</translation>
    </message>
    <message>
      <source>Findings: press once for present, twice for absent</source>
      <translation>所見：1回で「あり」、2回で「なし」</translation>
    </message>
    <message>
      <source>Exclude from training</source>
      <translation>学習データから除外</translation>
    </message>
    <message>
      <source>Comment</source>
      <translation>コメント</translation>
    </message>
    <message>
      <source>Send</source>
      <translation>送信</translation>
    </message>
    <message>
      <source>Next case</source>
      <translation>次の症例</translation>
    </message>
    <message>
      <source>Open the next case by itself after sending</source>
      <translation>送信後、次の症例を自動で開く</translation>
    </message>
  </context>
  <context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
      <source>Triage</source>
      <translation>トリアージ</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.images.drawn</name>
    <message>
      <source>The drawing was made on other images than those shown.</source>
      <translation>描画は表示中の画像とは別の画像に基づいています。</translation>
    </message>
    <message>
      <source>The drawing is no binary DICOM segmentation.</source>
      <translation>描画は2値のDICOMセグメンテーションではありません。</translation>
    </message>
    <message>
      <source>The drawing is damaged.</source>
      <translation>描画が破損しています。</translation>
    </message>
    <message>
      <source>{label} (not a diagnosis)</source>
      <translation>{label}（診断ではありません）</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.images.frames</name>
    <message>
      <source>localizer</source>
      <translation>位置決め画像</translation>
    </message>
    <message>
      <source>screen capture</source>
      <translation>画面キャプチャー</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.images.geometry</name>
    <message>
      <source>not an image that can be placed</source>
      <translation>位置を決められない画像</translation>
    </message>
    <message>
      <source>a second image at the same place</source>
      <translation>同じ位置の2枚目の画像</translation>
    </message>
    <message>
      <source>Images do not say how to compute Hounsfield units; the usual way was taken.</source>
      <translation>画像にCT値の換算情報がありません。標準的な換算を用いました。</translation>
    </message>
    <message>
      <source>Images are marked as inverted (MONOCHROME1); Hounsfield units are shown as they are.</source>
      <translation>画像は白黒反転（MONOCHROME1）と記録されています。CT値はそのまま表示しています。</translation>
    </message>
    <message>
      <source>Cancelled.</source>
      <translation>中止しました。</translation>
    </message>
    <message>
      <source>Slices are missing: {gap} mm between slices {below} and {above}. What lies there is computed.</source>
      <translation>スライスが欠けています：スライス {below} と {above} の間が {gap} mm です。その間は計算による補間です。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.images.hounsfield</name>
    <message>
      <source>An image has an impossible size or bit depth.</source>
      <translation>画像の大きさまたはビット数が不正です。</translation>
    </message>
    <message>
      <source>An image came compressed, and cannot be read here.</source>
      <translation>圧縮された画像であり、ここでは読み取れません。</translation>
    </message>
    <message>
      <source>An image is cut short.</source>
      <translation>画像データが途中で切れています。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.images.ordering</name>
    <message>
      <source>lies in another direction</source>
      <translation>向きが異なる</translation>
    </message>
    <message>
      <source>of another size</source>
      <translation>大きさが異なる</translation>
    </message>
    <message>
      <source>of another scale</source>
      <translation>縮尺が異なる</translation>
    </message>
    <message>
      <source>in another frame of reference</source>
      <translation>座標系が異なる</translation>
    </message>
    <message>
      <source>Images do not say where they lie; their order is that of their numbers and may be upside down.</source>
      <translation>画像に位置の情報がありません。番号順に並べたため、上下が逆の可能性があります。</translation>
    </message>
    <message>
      <source>There is no image in this series that can be shown.</source>
      <translation>このシリーズに表示できる画像はありません。</translation>
    </message>
    <message>
      <source>Images do not say how they are turned; they are taken to lie as the others, or axial.</source>
      <translation>画像に向きの情報がありません。他の画像と同じ、または横断像とみなしました。</translation>
    </message>
    <message>
      <source>Images do not say their scale; a usual one is assumed. Trust no distance.</source>
      <translation>画像に縮尺の情報がありません。標準的な値を仮定したため、距離は信頼できません。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.background</name>
    <message>
      <source>Something went wrong inside this module ({kind}).</source>
      <translation>このモジュールの内部で問題が発生しました（{kind}）。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.case_view</name>
    <message>
      <source>No case is open.</source>
      <translation>症例は開かれていません。</translation>
    </message>
    <message>
      <source>The study has no images to show.</source>
      <translation>この検査に表示できる画像はありません。</translation>
    </message>
    <message>
      <source>The images were not loaded: cancelled.</source>
      <translation>画像は読み込まれていません：中止しました。</translation>
    </message>
    <message>
      <source>slice {number}</source>
      <translation>スライス {number}</translation>
    </message>
    <message>
      <source>It is no DICOM file.</source>
      <translation>DICOMファイルではありません。</translation>
    </message>
    <message>
      <source>The region of the bleed cannot be shown. {why}</source>
      <translation>出血の領域を表示できません。{why}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.case_words</name>
    <message>
      <source>The probabilities were calibrated on other patients; they are no threshold on their own.</source>
      <translation>確率は他の患者群で較正した値であり、単独では判断基準になりません。</translation>
    </message>
    <message>
      <source>Finding</source>
      <translation>所見</translation>
    </message>
    <message>
      <source>ml</source>
      <translation>ml</translation>
    </message>
    <message>
      <source>mm thick</source>
      <translation>厚さ mm</translation>
    </message>
    <message>
      <source>mean HU</source>
      <translation>平均CT値</translation>
    </message>
    <message>
      <source>offset mm</source>
      <translation>偏位 mm</translation>
    </message>
    <message>
      <source>slices</source>
      <translation>スライス</translation>
    </message>
    <message>
      <source>bleed</source>
      <translation>出血</translation>
    </message>
    <message>
      <source>old collection</source>
      <translation>陳旧性貯留</translation>
    </message>
    <message>
      <source>blood in the ventricles</source>
      <translation>脳室内出血</translation>
    </message>
    <message>
      <source>midline</source>
      <translation>正中</translation>
    </message>
    <message>
      <source>deep</source>
      <translation>深部</translation>
    </message>
    <message>
      <source>near the skull</source>
      <translation>頭蓋骨近傍</translation>
    </message>
    <message>
      <source>Judged by {model}.</source>
      <translation>判定モデル：{model}</translation>
    </message>
    <message>
      <source>Model</source>
      <translation>モデル</translation>
    </message>
    <message>
      <source>Digest</source>
      <translation>ダイジェスト</translation>
    </message>
    <message>
      <source>Rubric</source>
      <translation>判定基準</translation>
    </message>
    <message>
      <source>Rules that fired</source>
      <translation>適用規則</translation>
    </message>
    <message>
      <source>Alert probability</source>
      <translation>緊急の確率</translation>
    </message>
    <message>
      <source>Haemorrhage probability</source>
      <translation>出血の確率</translation>
    </message>
    <message>
      <source>Judged</source>
      <translation>判定日時</translation>
    </message>
    <message>
      <source>Took</source>
      <translation>所要時間</translation>
    </message>
    <message>
      <source>{kind}, {place}</source>
      <translation>{kind}（{place}）</translation>
    </message>
    <message>
      <source>No machine result ({why}): read as usual.</source>
      <translation>自動判定なし（{why}）：通常どおり読影してください。</translation>
    </message>
    <message>
      <source>Nothing flagged. This does not mean normal.</source>
      <translation>指摘なし。正常を意味するものではありません。</translation>
    </message>
    <message>
      <source>Preliminary: series incomplete</source>
      <translation>暫定：画像が揃っていません</translation>
    </message>
    <message>
      <source>born {date}</source>
      <translation>生年月日 {date}</translation>
    </message>
    <message>
      <source>(no name)</source>
      <translation>（氏名なし）</translation>
    </message>
    <message>
      <source>{count} images of the series are not shown here.</source>
      <translation>このシリーズの{count}枚はここに表示されていません。</translation>
    </message>
    <message>
      <source>{seconds} s</source>
      <translation>{seconds}秒</translation>
    </message>
    <message>
      <source>the machine said: {what}</source>
      <translation>プログラムの判定：{what}</translation>
    </message>
    <message>
      <source>superseded {time}</source>
      <translation>{time} に差し替え</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.login</name>
    <message>
      <source>Server</source>
      <translation>サーバー</translation>
    </message>
    <message>
      <source>Asking the server ...</source>
      <translation>サーバーに問い合わせ中…</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>中止</translation>
    </message>
    <message>
      <source>Disconnect</source>
      <translation>切断</translation>
    </message>
    <message>
      <source>Connect</source>
      <translation>接続</translation>
    </message>
    <message>
      <source>The server answers: triage {version}.</source>
      <translation>サーバーが応答しました：トリアージ {version}</translation>
    </message>
    <message>
      <source>Server: {user} at {address}</source>
      <translation>サーバー：{user}（{address}）</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.panel</name>
    <message>
      <source>No other case waits for you.</source>
      <translation>待機中の症例は他にありません。</translation>
    </message>
    <message>
      <source>The study is not on the server's lists any more.</source>
      <translation>この検査はサーバーの一覧にもうありません。</translation>
    </message>
    <message>
      <source>Agree with the machine, also on blood, and send; black is chosen only</source>
      <translation>プログラムの判定に（出血の有無も含めて）同意して送信（黒は選択のみ）</translation>
    </message>
    <message>
      <source>Not to be learnt from, for a reason; Alt+1 to Alt+5 choose it</source>
      <translation>理由を付けて学習データから除外（Alt+1～Alt+5で理由を選択）</translation>
    </message>
    <message>
      <source>Write a comment</source>
      <translation>コメントを入力</translation>
    </message>
    <message>
      <source>Send what is chosen</source>
      <translation>選択内容を送信</translation>
    </message>
    <message>
      <source>The next case, without a review</source>
      <translation>判定せずに次の症例へ</translation>
    </message>
    <message>
      <source>The next key slice</source>
      <translation>次の注目スライス</translation>
    </message>
    <message>
      <source>The next window</source>
      <translation>次の表示条件</translation>
    </message>
    <message>
      <source>{what} ({keys})</source>
      <translation>{what}（{keys}）</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.review</name>
    <message>
      <source>The series was withdrawn.</source>
      <translation>シリーズは取り消されました。</translation>
    </message>
    <message>
      <source>The series is still being received or judged; it can be reviewed then.</source>
      <translation>受信中または解析中です。完了後に判定を入力できます。</translation>
    </message>
    <message>
      <source>Choose a colour first.</source>
      <translation>先に色を選択してください。</translation>
    </message>
    <message>
      <source>Say in the comment why the case is excluded.</source>
      <translation>除外の理由をコメントに入力してください。</translation>
    </message>
    <message>
      <source>Black means: so severe that treatment is not expected to change the outcome. Alt+Return sends it.</source>
      <translation>黒は「最重症・治療による転帰の改善が見込めない」を意味します。Alt+Returnで送信します。</translation>
    </message>
    <message>
      <source>It says that there is blood, unless you deny it below.</source>
      <translation>下の所見で否定しない限り、出血ありとして記録されます。</translation>
    </message>
    <message>
      <source>Say below whether there is blood.</source>
      <translation>出血の有無は下の所見で入力できます。</translation>
    </message>
    <message>
      <source>Its images or results are new, or another reader has spoken.</source>
      <translation>画像や判定が更新されたか、他の読影者が判定しました。</translation>
    </message>
    <message>
      <source>Excluded: {reason}</source>
      <translation>除外：{reason}</translation>
    </message>
    <message>
      <source>The machine's result was withdrawn.</source>
      <translation>プログラムの判定は取り消されました。</translation>
    </message>
    <message>
      <source>{who} says {what}, {time}.</source>
      <translation>{who}：{what}（{time}）</translation>
    </message>
    <message>
      <source>A comment has at most {count} characters.</source>
      <translation>コメントは最大{count}文字です。</translation>
    </message>
    <message>
      <source>{what}: Alt+Return sends it.</source>
      <translation>{what}：Alt+Returnで送信します。</translation>
    </message>
    <message>
      <source>There are {count} images now.</source>
      <translation>画像は現在{count}枚です。</translation>
    </message>
    <message>
      <source>The machine's result is new: {what}.</source>
      <translation>プログラムの新しい判定：{what}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.review_entries</name>
    <message>
      <source>Confirm</source>
      <translation>同意</translation>
    </message>
    <message>
      <source>Send</source>
      <translation>送信</translation>
    </message>
    <message>
      <source>Why?</source>
      <translation>理由は？</translation>
    </message>
    <message>
      <source>Confirm: {what}</source>
      <translation>同意：{what}</translation>
    </message>
    <message>
      <source>Send {what}</source>
      <translation>送信：{what}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.review_section</name>
    <message>
      <source>Sending ...</source>
      <translation>送信中…</translation>
    </message>
    <message>
      <source>This case has changed since you opened it. Nothing was sent; your entries are kept.</source>
      <translation>表示後に内容が変わりました。送信はされていません。入力は保持されています。</translation>
    </message>
    <message>
      <source>Your review of this series is kept and not sent yet.</source>
      <translation>このシリーズの判定は保持されており、まだ送信されていません。</translation>
    </message>
    <message>
      <source>There is nothing to confirm: choose a colour.</source>
      <translation>同意できる判定がありません。色を選択してください。</translation>
    </message>
    <message>
      <source>Sent: {case}</source>
      <translation>送信しました：{case}</translation>
    </message>
    <message>
      <source>Not sent: the server does not answer. Your review is kept and sent later by itself.</source>
      <translation>未送信：サーバーが応答しません。判定は保持され、後で自動的に送信されます。</translation>
    </message>
    <message>
      <source>Not sent. {why}</source>
      <translation>未送信。{why}</translation>
    </message>
    <message>
      <source>Refused. {why}</source>
      <translation>受け付けられません。{why}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.rows</name>
    <message>
      <source>Urgency</source>
      <translation>緊急度</translation>
    </message>
    <message>
      <source>Patient</source>
      <translation>患者</translation>
    </message>
    <message>
      <source>Waiting</source>
      <translation>待ち時間</translation>
    </message>
    <message>
      <source>State</source>
      <translation>状態</translation>
    </message>
    <message>
      <source>Findings</source>
      <translation>所見</translation>
    </message>
    <message>
      <source>ID</source>
      <translation>ID</translation>
    </message>
    <message>
      <source>Age, sex</source>
      <translation>年齢・性別</translation>
    </message>
    <message>
      <source>Study</source>
      <translation>検査</translation>
    </message>
    <message>
      <source>(no name)</source>
      <translation>（氏名なし）</translation>
    </message>
    <message>
      <source>Excluded</source>
      <translation>除外</translation>
    </message>
    <message>
      <source>NOT SENT YET</source>
      <translation>未送信</translation>
    </message>
    <message>
      <source>Readers differ</source>
      <translation>読影者間で不一致</translation>
    </message>
    <message>
      <source>Open again: images came after the review</source>
      <translation>再確認：判定後に画像が追加されました</translation>
    </message>
    <message>
      <source>Preliminary: series incomplete</source>
      <translation>暫定：画像が揃っていません</translation>
    </message>
    <message>
      <source>Series disagree</source>
      <translation>シリーズ間で判定が不一致</translation>
    </message>
    <message>
      <source>More series still to be judged</source>
      <translation>他のシリーズを処理中</translation>
    </message>
    <message>
      <source>Not reviewed</source>
      <translation>未判定</translation>
    </message>
    <message>
      <source>Review found, not verified: read again</source>
      <translation>判定あり・未検証：再読影してください</translation>
    </message>
    <message>
      <source>Not analysed: {why}</source>
      <translation>解析対象外：{why}</translation>
    </message>
    <message>
      <source>{what}, {who}</source>
      <translation>{what}（{who}）</translation>
    </message>
    <message>
      <source>Pending: {progress}</source>
      <translation>処理中：{progress}</translation>
    </message>
    <message>
      <source>Failed: {why}</source>
      <translation>解析失敗：{why}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.unsent</name>
    <message>
      <source>The case has changed since it was shown; look again.</source>
      <translation>表示後に症例の内容が変わりました。もう一度確認してください。</translation>
    </message>
    <message>
      <source>Discard this review? {case}: {message}</source>
      <translation>この判定を破棄しますか？ {case}：{message}</translation>
    </message>
    <message>
      <source>Needs you: {case}. {why}</source>
      <translation>確認が必要：{case}。{why}</translation>
    </message>
    <message>
      <source>Not sent yet ({count}): {cases}</source>
      <translation>未送信（{count}件）：{cases}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.panel.worklist</name>
    <message>
      <source>Queue</source>
      <translation>待ち行列</translation>
    </message>
    <message>
      <source>Earlier studies</source>
      <translation>過去の検査</translation>
    </message>
    <message>
      <source>Not connected.</source>
      <translation>接続されていません。</translation>
    </message>
    <message>
      <source>Queue ({count})</source>
      <translation>待ち行列（{count}）</translation>
    </message>
    <message>
      <source>Earlier studies ({count})</source>
      <translation>過去の検査（{count}）</translation>
    </message>
    <message>
      <source>The list is as of {time}: {why}</source>
      <translation>{time} 時点の一覧です：{why}</translation>
    </message>
    <message>
      <source>{count} studies shown, as of {time}</source>
      <translation>{count}件を表示（{time} 時点）</translation>
    </message>
    <message>
      <source>Reading the worklist ...</source>
      <translation>ワークリストを読み込み中…</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.scene.segmentation</name>
    <message>
      <source>Drawn by the server</source>
      <translation>サーバーによる描画</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.scene.volume</name>
    <message>
      <source>{name}: how it was scanned</source>
      <translation>{name}：撮影時の配置</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.address</name>
    <message>
      <source>This is no address of a server. One looks like https://pacs.hospital:8042.</source>
      <translation>サーバーのアドレスではありません。例：https://pacs.hospital:8042</translation>
    </message>
    <message>
      <source>Write the address without user and password: they have fields of their own.</source>
      <translation>アドレスにユーザー名とパスワードを含めないでください。それぞれの欄に入力します。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.client</name>
    <message>
      <source>What answers at this address is not triage (status {status}).</source>
      <translation>このアドレスで応答しているのはトリアージではありません（ステータス {status}）。</translation>
    </message>
    <message>
      <source>The server points to another address, {where}. If it is right, enter that one.</source>
      <translation>サーバーは別のアドレス {where} を案内しています。正しければそちらを入力してください。</translation>
    </message>
    <message>
      <source>Another web server answers at this address, no Orthanc with triage.</source>
      <translation>このアドレスでは別のWebサーバーが応答しています。トリアージの入ったOrthancではありません。</translation>
    </message>
    <message>
      <source>The connection is not encrypted: others in the network can read password and images.</source>
      <translation>接続は暗号化されていません。ネットワーク上の第三者がパスワードと画像を読み取れます。</translation>
    </message>
    <message>
      <source>The server asks for no password, so it takes no reviews.</source>
      <translation>サーバーがパスワードを求めない設定のため、判定を受け付けません。</translation>
    </message>
    <message>
      <source>The server does not know this user or password.</source>
      <translation>ユーザー名またはパスワードが違います。</translation>
    </message>
    <message>
      <source>The server does not allow this login to do that.</source>
      <translation>このログインにはその操作が許可されていません。</translation>
    </message>
    <message>
      <source>The server does not have this any more.</source>
      <translation>サーバーにはもう存在しません。</translation>
    </message>
    <message>
      <source>The server wants https:// before its name.</source>
      <translation>このサーバーにはアドレスの先頭に https:// が必要です。</translation>
    </message>
    <message>
      <source>Orthanc {version} answers, but triage is not installed in it.</source>
      <translation>Orthanc {version} が応答しましたが、トリアージが導入されていません。</translation>
    </message>
    <message>
      <source>Triage is stopped, no urgency is given. {why}</source>
      <translation>トリアージは停止しており、緊急度は付きません。{why}</translation>
    </message>
    <message>
      <source>The server cannot answer now (status {status}). {why}</source>
      <translation>サーバーは現在応答できません（ステータス {status}）。{why}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.connection</name>
    <message>
      <source>The login was ended.</source>
      <translation>ログインは終了しました。</translation>
    </message>
    <message>
      <source>The certificate file does not exist: {file}.</source>
      <translation>証明書ファイルがありません：{file}</translation>
    </message>
    <message>
      <source>The certificate file holds no certificate in PEM form: {file}.</source>
      <translation>証明書ファイルにPEM形式の証明書がありません：{file}</translation>
    </message>
    <message>
      <source>The certificate file cannot be read: {file}.</source>
      <translation>証明書ファイルを読み取れません：{file}</translation>
    </message>
    <message>
      <source>It was cancelled.</source>
      <translation>中止しました。</translation>
    </message>
    <message>
      <source>The server's answer is larger than any that is expected.</source>
      <translation>サーバーの応答が想定より大きすぎます。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.download</name>
    <message>
      <source>{came} of {all} images came. {why}</source>
      <translation>{all}枚中{came}枚を受信しました。{why}</translation>
    </message>
    <message>
      <source>It was cancelled.</source>
      <translation>中止しました。</translation>
    </message>
    <message>
      <source>The images are compressed ({name}), and neither the server nor Slicer can decompress them. Orthanc can with its GDCM plugin.</source>
      <translation>画像は圧縮されており（{name}）、サーバーでもSlicerでも展開できません。OrthancのGDCMプラグインがあれば展開できます。</translation>
    </message>
    <message>
      <source>The series changed while it was loaded: an image is gone. Open it again.</source>
      <translation>読み込み中にシリーズが変わりました（画像が削除されました）。もう一度開いてください。</translation>
    </message>
    <message>
      <source>An image is damaged: it is no DICOM file.</source>
      <translation>画像が破損しています：DICOMファイルではありません。</translation>
    </message>
    <message>
      <source>An image is damaged: how its pixels are written is not known.</source>
      <translation>画像が破損しています：画素の記録形式が不明です。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.failures</name>
    <message>
      <source>{where} took the question and did not answer in time.</source>
      <translation>{where} は要求を受け付けましたが、時間内に応答しませんでした。</translation>
    </message>
    <message>
      <source>The connection to {where} broke before the answer was complete.</source>
      <translation>{where} との接続が応答の途中で切れました。</translation>
    </message>
    <message>
      <source>No computer is known by the name {host}.</source>
      <translation>{host} という名前のコンピューターは見つかりません。</translation>
    </message>
    <message>
      <source>What answers at {where} is no web server, or it wants https:// before its name.</source>
      <translation>{where} で応答しているのはWebサーバーではないか、名前の前に https:// が必要です。</translation>
    </message>
    <message>
      <source>The connection to {where} broke before the answer was complete. If this is always so, the server may want https:// before its name.</source>
      <translation>{where} との接続が応答の途中で切れました。毎回そうなる場合は、名前の前に https:// が必要かもしれません。</translation>
    </message>
    <message>
      <source>The certificate of {host} has expired.</source>
      <translation>{host} の証明書は有効期限が切れています。</translation>
    </message>
    <message>
      <source>{where} does not encrypt: its address begins with http://, or the port is another.</source>
      <translation>{where} は暗号化に対応していません。アドレスは http:// で始まるか、ポートが異なります。</translation>
    </message>
    <message>
      <source>No encryption could be agreed on with {where}.</source>
      <translation>{where} と暗号化方式が一致しませんでした。</translation>
    </message>
    <message>
      <source>{where} refuses the connection: no server runs there, or the port is another.</source>
      <translation>{where} は接続を拒否しました。サーバーが動作していないか、ポートが異なります。</translation>
    </message>
    <message>
      <source>The certificate of {host} is not valid yet: look at the clock of this computer.</source>
      <translation>{host} の証明書はまだ有効ではありません。このコンピューターの時計を確認してください。</translation>
    </message>
    <message>
      <source>The network has no way to {host}.</source>
      <translation>{host} へのネットワーク経路がありません。</translation>
    </message>
    <message>
      <source>The certificate that was shown is not of {host} but of another computer.</source>
      <translation>提示された証明書は {host} のものではなく、別のコンピューターのものです。</translation>
    </message>
    <message>
      <source>The certificate of {host} is of an issuer that is not known here. If the hospital has an own one, choose its certificate file.</source>
      <translation>{host} の証明書の発行元が不明です。院内認証局がある場合は、その証明書ファイルを選択してください。</translation>
    </message>
    <message>
      <source>{where} does not answer: it is switched off, or a firewall stands between.</source>
      <translation>{where} が応答しません。電源が切れているか、ファイアウォールに遮られています。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.outbox</name>
    <message>
      <source>The review could not be written to this computer's disk ({why}).</source>
      <translation>判定をこのコンピューターのディスクに書き込めませんでした（{why}）。</translation>
    </message>
    <message>
      <source>The case has changed since it was shown; look again.</source>
      <translation>表示後に症例の内容が変わりました。もう一度確認してください。</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.server.reading</name>
    <message>
      <source>The server's answer is not what triage answers.</source>
      <translation>サーバーの応答がトリアージのものではありません。</translation>
    </message>
    <message>
      <source>The server's answer cannot be understood: {where}.</source>
      <translation>サーバーの応答を解釈できません：{where}</translation>
    </message>
  </context>
  <context>
    <name>HeadCTTriageLib.words</name>
    <message>
      <source>For reference only. The program supports; the physician makes the final judgement.</source>
      <translation>参考情報です。本プログラムは診療を支援するものであり、最終判断は医師が行います。</translation>
    </message>
    <message>
      <source>Small bleeding can be missed.</source>
      <translation>小さな出血は見逃されることがあります。</translation>
    </message>
    <message>
      <source>nothing flagged, unsure</source>
      <translation>指摘なし（確信なし）</translation>
    </message>
    <message>
      <source>assessed</source>
      <translation>判定済み</translation>
    </message>
    <message>
      <source>not analysed</source>
      <translation>解析対象外</translation>
    </message>
    <message>
      <source>failed</source>
      <translation>解析失敗</translation>
    </message>
    <message>
      <source>withdrawn</source>
      <translation>取り消し</translation>
    </message>
    <message>
      <source>bleed within the skull</source>
      <translation>頭蓋内出血</translation>
    </message>
    <message>
      <source>intraparenchymal bleed</source>
      <translation>脳実質内出血</translation>
    </message>
    <message>
      <source>blood in the ventricles</source>
      <translation>脳室内出血</translation>
    </message>
    <message>
      <source>subarachnoid bleed</source>
      <translation>くも膜下出血</translation>
    </message>
    <message>
      <source>epidural bleed</source>
      <translation>硬膜外出血</translation>
    </message>
    <message>
      <source>subdural bleed</source>
      <translation>硬膜下出血</translation>
    </message>
    <message>
      <source>old collection of low density</source>
      <translation>低吸収の陳旧性貯留</translation>
    </message>
    <message>
      <source>midline shift</source>
      <translation>正中偏位</translation>
    </message>
    <message>
      <source>skull fracture</source>
      <translation>頭蓋骨骨折</translation>
    </message>
    <message>
      <source>after an operation</source>
      <translation>術後</translation>
    </message>
    <message>
      <source>repeat examination of the same patient</source>
      <translation>同一患者の再検査</translation>
    </message>
    <message>
      <source>poor image quality</source>
      <translation>画質不良</translation>
    </message>
    <message>
      <source>wrong series</source>
      <translation>対象外のシリーズ</translation>
    </message>
    <message>
      <source>another reason, said in the comment</source>
      <translation>その他（コメント参照）</translation>
    </message>
    <message>
      <source>Excluded</source>
      <translation>除外</translation>
    </message>
    <message>
      <source>Not reviewed yet.</source>
      <translation>まだ読影者の判定がありません。</translation>
    </message>
    <message>
      <source>GREEN</source>
      <translation>緑</translation>
    </message>
    <message>
      <source>YELLOW</source>
      <translation>黄</translation>
    </message>
    <message>
      <source>RED</source>
      <translation>赤</translation>
    </message>
    <message>
      <source>BLACK</source>
      <translation>黒</translation>
    </message>
    <message>
      <source>nothing flagged</source>
      <translation>指摘なし</translation>
    </message>
    <message>
      <source>specialist needed, not urgent</source>
      <translation>専門医の診療が必要・緊急ではない</translation>
    </message>
    <message>
      <source>urgent, specialist now</source>
      <translation>緊急・直ちに専門医へ</translation>
    </message>
    <message>
      <source>suspected extreme severity, specialist now</source>
      <translation>最重症疑い・直ちに専門医へ</translation>
    </message>
    <message>
      <source>no specialist treatment needed</source>
      <translation>専門的治療は不要</translation>
    </message>
    <message>
      <source>specialist treatment needed, not urgent</source>
      <translation>専門的治療が必要・緊急ではない</translation>
    </message>
    <message>
      <source>urgent, specialist treatment at once</source>
      <translation>緊急・直ちに専門的治療が必要</translation>
    </message>
    <message>
      <source>so severe that treatment is not expected to change the outcome</source>
      <translation>最重症・治療による転帰の改善が見込めない</translation>
    </message>
    <message>
      <source>{colour}: {meaning}</source>
      <translation>{colour}：{meaning}</translation>
    </message>
    <message>
      <source>{name} ({images} images): {said}</source>
      <translation>{name}（{images}枚）：{said}</translation>
    </message>
    <message>
      <source>given before the machine's answer was shown</source>
      <translation>プログラムの判定を見る前の所見</translation>
    </message>
    <message>
      <source>Reviewed: {what}.</source>
      <translation>判定済み：{what}</translation>
    </message>
    <message>
      <source>{days} d</source>
      <translation>{days}日</translation>
    </message>
    <message>
      <source>{age} y</source>
      <translation>{age}歳</translation>
    </message>
    <message>
      <source>{age} mo</source>
      <translation>{age}か月</translation>
    </message>
    <message>
      <source>{age} wk</source>
      <translation>{age}週</translation>
    </message>
    <message>
      <source>{age} d</source>
      <translation>{age}日</translation>
    </message>
    <message>
      <source>receiving images, {count} so far</source>
      <translation>画像受信中（{count}枚）</translation>
    </message>
    <message>
      <source>waiting for more images, {count} so far</source>
      <translation>追加画像待ち（{count}枚）</translation>
    </message>
    <message>
      <source>being judged, {count} images</source>
      <translation>解析中（{count}枚）</translation>
    </message>
    <message>
      <source>{finding}: present</source>
      <translation>{finding}：あり</translation>
    </message>
    <message>
      <source>{finding}: absent</source>
      <translation>{finding}：なし</translation>
    </message>
    <message>
      <source>Two readers differ: a third is to settle it. Until then {what} counts, the worse of the two.</source>
      <translation>2名の判定が異なります。3人目の読影者が決めます。それまでは重い方（{what}）が有効です。</translation>
    </message>
    <message>
      <source>Settled by three readers or more: {what}.</source>
      <translation>3名以上の読影者により確定：{what}</translation>
    </message>
    <message>
      <source>{seconds} s</source>
      <translation>{seconds}秒</translation>
    </message>
    <message>
      <source>{minutes} min</source>
      <translation>{minutes}分</translation>
    </message>
    <message>
      <source>{hours} h {minutes} min</source>
      <translation>{hours}時間{minutes}分</translation>
    </message>
    <message>
      <source>“{text}”</source>
      <translation>「{text}」</translation>
    </message>
  </context>
</TS>
